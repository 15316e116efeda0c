"""The task of predicting the labels of impressions, such as clicks and conversions."""

from recsys.task.ranking.module import Ranking as Ranking
