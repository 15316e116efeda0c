"""The words the simulated shop is written in."""

CATEGORIES = (
    "backpacks", "bedding", "bikes", "board games", "boots", "cameras", "coats", "coffee", "cookware", "desk lamps", "dresses", "earphones",
    "gardening", "keyboards", "knitwear", "novels", "perfume", "running shoes", "skincare", "sofas", "tents", "toys", "watches", "yoga",
)  # fmt: skip
PRODUCTS = (
    "backpack", "duvet cover", "city bike", "board game", "leather boot", "compact camera", "rain coat", "coffee beans", "frying pan",
    "desk lamp", "midi dress", "earphones", "garden shears", "keyboard", "wool jumper", "paperback", "eau de parfum", "running shoe",
    "face cream", "two-seat sofa", "trekking tent", "building blocks", "wrist watch", "yoga mat",
)  # fmt: skip
"""What an item of each category is called."""
TYPICAL_PRICES = (60, 45, 500, 30, 110, 320, 140, 14, 35, 40, 70, 80, 22, 65, 60, 12, 55, 95, 25, 750, 210, 28, 150, 30)
"""Of each category, in euro."""

BRANDS = tuple(
    start + end for end in ("dal", "mira", "ton", "lora", "berg") for start in ("Al", "Bru", "Cor", "Fen", "Hal", "Kas", "Nor", "Vel")
)
STYLES = (
    "airy", "bold", "bright", "classic", "compact", "cosy", "crafted", "dark", "elegant", "everyday", "folding", "light", "matte",
    "minimal", "modern", "playful", "quiet", "retro", "robust", "rustic", "sleek", "soft", "sporty", "vivid",
)  # fmt: skip
COLOURS = ("black", "blue", "brown", "green", "grey", "orange", "red", "sand", "white", "yellow")

COUNTRIES = ("DE", "FR", "GB", "IT", "ES", "PL")
COUNTRY_SHARES = (0.3, 0.2, 0.17, 0.13, 0.12, 0.08)
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
AGE_SHARES = (0.16, 0.26, 0.22, 0.17, 0.12, 0.07)
MEMBERSHIPS = ("none", "basic", "plus")
MEMBERSHIP_SHARES = (0.5, 0.35, 0.15)
DEVICES = ("desktop", "mobile", "tablet")
DEVICE_SHARES = (0.35, 0.55, 0.1)
