"""Values of raw columns in the types that a config names. A value that its type cannot hold becomes null, beside the raw one."""

from collections.abc import Mapping

import polars as pl

from recsys.source.moments import ISO, moment_formats, moments

TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "int64": pl.Int64(),
    "float64": pl.Float64(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
}
"""Types by the names of `data.source.types`."""
EXACT: dict[pl.DataType, int] = {pl.Float32(): 2**24, pl.Float64(): 2**53}
"""Integers up to which a float tells each from the next."""
INTEGER = r"^-?(0|[1-9]\d*)$"
"""An integer that is written as its number is: 007 is text."""
DECIMAL = {".": r"^-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$", ",": r"^-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"}
"""Numbers by their decimal mark."""
ZERO_LED = r"^-?0\d"
TRUTHS = {"true": True, "false": False}
SPOKEN = {**TRUTHS, "yes": True, "no": False, "y": True, "n": False, "t": True, "f": False, "on": True, "off": False, "1": True, "0": False}
BRACKETS = "[]"
"""Separator of lists that are written as Python and JSON do: ['a', 'b']."""
ENTRY = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|[^\s,\[\]'"][^,\[\]'"]*"""


def text_type(texts: pl.Series, decimal: str = ".") -> str:
    """Name of the type that all these texts have; "string" for none."""
    texts = texts.drop_nulls().unique()
    if not len(texts):
        return "string"
    if texts.str.to_lowercase().is_in(list(TRUTHS)).all():
        return "bool"
    if texts.str.contains(INTEGER).all():
        return "string" if texts.cast(pl.Int64, strict=False).null_count() else "int64"
    if texts.str.contains(f"{DECIMAL[decimal]}|^(?i:nan|-?inf)$").all() and not texts.str.contains(ZERO_LED + r"\d*$").any():
        return "float64"
    return "datetime" if moment_formats(texts) else "string"


def converted(column: pl.Expr, dtype: pl.DataType, name: str, *, written: str = ISO, decimal: str = ".", loose: bool = True) -> pl.Expr:
    """Values as the type of this name, null where one cannot be.

    Args:
        dtype: type of the column.
        written: format of moments.
        decimal: mark of numbers in text.
        loose: the type was asked for: 007 and 7.0 are integers, yes and no are truth values. A guess reads only what is plainly so.
    """
    if dtype == pl.String:
        return _of_text(column, name, written, decimal, loose)
    if dtype.is_float():
        whole = column.is_finite() & (column == column.floor()) & (column.abs() <= EXACT.get(dtype, 2**53))
        integer = pl.when(whole).then(column).cast(pl.Int64, strict=False)
        if name == "int64":
            return integer
        if name == "string":
            return pl.coalesce(integer.cast(pl.String), column.cast(pl.String))
    if dtype == pl.Binary and name == "string":  # a cast raises where one value is no UTF-8
        return column.map_batches(_decoded, return_dtype=pl.String())
    if dtype.is_decimal() and name == "int64":
        integer = column.cast(pl.Int64, strict=False)
        return pl.when(integer.cast(pl.Float64) == column.cast(pl.Float64)).then(integer)
    return column.cast(TYPES[name], strict=False)


def _decoded(values: pl.Series) -> pl.Series:
    texts = [None if value is None else value.decode(errors="replace") for value in values]
    return pl.Series(values.name, [None if text is None or "\ufffd" in text else text for text in texts], dtype=pl.String)


def _of_text(text: pl.Expr, name: str, written: str, decimal: str, loose: bool) -> pl.Expr:
    if name == "bool":
        return text.str.to_lowercase().replace_strict(SPOKEN if loose else TRUTHS, default=None, return_dtype=pl.Boolean)
    if name in ("date", "datetime"):
        return moments(text, written).cast(TYPES[name])
    if name == "int64":
        good = text.str.contains(r"^[-+]?\d+([.,]0*)?$" if loose else INTEGER)
        return pl.when(good).then(text.str.replace(r"[.,]0*$", "")).cast(pl.Int64, strict=False)
    if name == "float64" and decimal == ",":
        good = text.str.contains(DECIMAL[","])
        text = pl.when(good).then(text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
    return text.cast(TYPES[name], strict=False)


def mapped(column: pl.Expr, dtype: pl.DataType, numbers: Mapping[object, float]) -> pl.Expr:
    """Numbers that stand for texts or numbers of a column, null where a value has none; a null key is what stands for a missing one."""
    keys = {str(key).lower() if isinstance(key, bool) else str(key): float(number) for key, number in numbers.items() if key is not None}
    values = converted(column, dtype, "string").replace_strict(keys, default=None, return_dtype=pl.Float64)
    missing = next((float(number) for key, number in numbers.items() if key is None), None)
    return values if missing is None else pl.when(column.is_not_null()).then(values).otherwise(missing)


def split_list(text: pl.Expr, separator: str) -> pl.Expr:
    """Lists of the values in a text, without blanks around them and without empty ones."""
    if separator == BRACKETS:
        entries = text.str.extract_all(ENTRY)
        return pl.when(text.is_not_null()).then(entries.list.eval(pl.element().str.strip_chars(" '\"")))
    entries = text.str.split(separator).list.eval(pl.element().str.strip_chars())
    return entries.list.eval(pl.element().filter(pl.element() != ""))
