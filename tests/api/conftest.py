from tests.api.playing import impatient, playing, whole
from tests.api.serving import hasty, served

__all__ = ["hasty", "impatient", "playing", "served", "whole"]
