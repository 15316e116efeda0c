"""What reports ask of a retrieval run."""

from recsys.report.table import result_table

__all__ = ["result_table"]
