"""What reports ask of a ranking run."""

from recsys.report.labels import label_table as result_table

__all__ = ["result_table"]
