"""Answers from a bundle with numpy and onnxruntime alone: no torch, no data frames, nothing else of this package.

retriever = Retriever("outputs/.../bundle")
retriever.recommend([{"user_id": "u7", "history": ["i3", "i9"]}], k=10, exclude=[["i3", "i9"]])
ranker = Ranker("outputs/.../bundle")
ranker.predict([{"item_id": "i4", "price": 3.5}, {"item_id": "i8", "price": 9.0}], user={"user_id": "u7"})
recommender = Recommender("outputs/.../bundle", items=[{"item_id": "i4", "price": 3.5}, {"item_id": "i8", "price": 9.0}])
recommender.recommend([{"user_id": "u7", "history": ["i3", "i9"]}], k=10)
"""

from recsys.serve.fields import BadRow
from recsys.serve.manifest import BundleError
from recsys.serve.ranker import Ranker
from recsys.serve.recommender import Recommender
from recsys.serve.retriever import Answer, Retriever

__all__ = ["Answer", "BadRow", "BundleError", "Ranker", "Recommender", "Retriever"]
