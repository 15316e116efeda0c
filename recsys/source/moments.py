"""Moments written as text: the formats that are recognised, and their values in UTC. N rows."""

import polars as pl

ISO = "iso"
"""Dates and moments of ISO 8601, with "T" or a blank, fractions of a second, a zone, "Z", " UTC" or " GMT"."""
DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y")
TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", ", %H:%M:%S", ", %H:%M")
WHOLE = ("%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%SZ", "%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %z %Y", "%d/%b/%Y:%H:%M:%S %z")
FORMATS = (ISO, *WHOLE, *(date + time for date in DATES for time in TIMES))
"""Formats as strftime writes them; of two that read a column alike, the first is taken: day before month."""
FEW = 200
"""Distinct texts by which most formats are ruled out."""


def moment_formats(texts: pl.Series) -> list[str]:
    """Formats of FORMATS that read every one of these texts as a moment; none for no texts. Digits alone are numbers, no moments."""
    texts = texts.drop_nulls().unique()
    if not len(texts) or texts.head(FEW).str.contains(r"^[-+]?\d+([.,]\d+)?$").all():
        return []
    formats = [written for written in FORMATS if _reads(texts.head(FEW), written)]
    return [written for written in formats if _reads(texts, written)]


def ambiguous(texts: pl.Series, formats: list[str]) -> bool:
    """Whether two of these formats read some text as different days."""
    readings = [texts.to_frame("text").select(moments(pl.col("text"), written)).to_series() for written in formats]
    return any(not readings[0].equals(other) for other in readings[1:])


def moments(text: pl.Expr, written: str) -> pl.Expr:
    """Datetime in microseconds UTC without a zone; null where the text is not of this format."""
    if written == ISO:
        return _iso(text)
    return text.str.to_datetime(written, time_unit="us", strict=False).dt.replace_time_zone(None)


def _reads(texts: pl.Series, written: str) -> bool:
    return not texts.to_frame("text").select(moments(pl.col("text"), written).null_count()).item()


def _iso(text: pl.Expr) -> pl.Expr:
    bare = text.str.replace(r"(?i)\s*(z|utc|gmt)$", "").str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "$1 ")
    zoned = r"(\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)\s*([+-])(\d{2}):?(\d{2})?$"
    local = bare.str.replace(zoned, "$1").str.replace(",", ".", literal=True)
    read = [local.str.to_datetime(form, time_unit="us", strict=False) for form in ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")]
    days = local.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    hours, minutes = (bare.str.extract(zoned, group).cast(pl.Int64).fill_null(0) for group in (3, 4))
    offset = pl.duration(minutes=hours * 60 + minutes)
    east = bare.str.extract(zoned, 2).fill_null("+") == "+"
    moment = pl.coalesce(*read, days)
    return pl.when(east).then(moment - offset).otherwise(moment + offset)
