from tests.api.playing import impatient, playing, whole
from tests.api.serving import served

__all__ = ["impatient", "playing", "served", "whole"]
