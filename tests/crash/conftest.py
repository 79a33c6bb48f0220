from tests.e2e.stagehands import nursery, stage

__all__ = ["nursery", "stage"]
