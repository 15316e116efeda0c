"""Names of columns and files: the words in them, and those that tell a role."""

import re


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case.

    Example:
        >>> words("CustomerID"), words("stock_code"), words("userid")
        (('customer', 'id'), ('stock', 'code'), ('user', 'id'))
    """
    parts = [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    return tuple(word for part in parts for word in ((part[:-2], "id") if len(part) > 4 and part.endswith("id") else (part,)))


USER_WORDS = words(
    "user customer member visitor client account subscriber reader viewer listener buyer reviewer player person uid author session"
)
ITEM_WORDS = words(
    "item product movie article stock sku asin isbn book track song video news content listing iid business restaurant recipe game app "
    "anime artist show post document course job hotel poi ad campaign offer creative goods merchant store venue place photo"
)
KEY_WORDS = words("id code key number no")
TIME_WORDS = words("timestamp time datetime ts date at unix epoch created day seq sequence")
CLOCK_WORDS = frozenset(words("timestamp time datetime ts date at unix epoch created since until ms born birthday expires"))
"""Words of a column of moments, in any unit."""
BESIDE_TIME = words("event interaction pos position index idx number no")
"""Words that may stand beside TIME_WORDS in the name of a rank."""
LABEL_WORDS = words(
    "click clicked clicks purchase purchased buy bought conversion converted convert order ordered label target like liked cart favorite "
    "favourite install installed watch watched finish finished share shared follow followed visit visited view viewed response responded "
    "booking booked positive"
)
BEHAVIOUR_WORDS = frozenset(words("click purchase buy cart basket like favorite favourite view order conversion rating play watch visit"))
"""Words of a file's name that say what its users did, without the s of a plural."""
PART_WORDS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
"""Words of a file's name that say which part of a published split it is."""
