from tests.api.serving import served

__all__ = ["served"]
