"""Train a recommender: prepare the data, fit, keep the best weights by a validation metric, test once, report.

Everything a run leaves behind is in its directory: config.yaml, schema.json, lineage.json, checkpoints, metrics.jsonl,
tested.json, metrics.json, train.log, report.html and the tables it is made of.
The last line printed is `run: <directory>`; `python export.py run=<directory>` makes a bundle of it.
"""

from recsys.config import TrainConfig
from recsys.config.launch import launch
from recsys.program import train
from recsys.run.resume import place_of
from recsys.sweep.sweeper import register, trial_faults

EXAMPLES = (
    "python train.py                                          retrieval on the simulated shop",
    "python train.py task=ranking                             clicks and conversions of the same shop",
    "python train.py task=ranking task.retriever=outputs/retrieval/shop/<time>   and how it ranks what that run's model finds",
    "python train.py loss=softmax loss.temperature=0.05 seed=1",
    "python train.py tower@model.user=sequence loader.batch_size=64",
    "python train.py experiment=movielens data.root=<folder>",
    "python train.py trainer=ddp trainer.devices=4",
    "python train.py task=ranking model=shared_bottom task.teacher.run=outputs/ranking/shop/<time>",
    "python train.py -m loss=softmax,bpr seed=0,1,2",
    "python train.py resume=outputs/retrieval/shop/<time>     go on with an interrupted run; resume=auto finds it by its config",
    "python train.py -m sweep=retrieval",
    "python train.py -m sweep=retrieval data=movielens data.root=<folder> hydra/launcher=joblib hydra.launcher.n_jobs=4",
)

if __name__ == "__main__":
    register()
    launch(train, TrainConfig, name="train", about=__doc__ or "", examples=EXAMPLES, place=place_of, sweeps=trial_faults)
