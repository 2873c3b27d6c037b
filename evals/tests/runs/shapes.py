"""Shapes of files that people have of tools: what lies there, who reads it, and what must come out."""

from __future__ import annotations

import json
from typing import Any

GRID: list[dict[str, Any]] = [
    {"mean_fit_time": 0.1, "param_C": c, "params": {"C": c}, "mean_test_score": score, "rank_test_score": 1}
    for c, score in ((0.1, 0.8), (1.0, 0.9))
]
COLUMNS = {name: [row[name] for row in GRID] for name in GRID[0]}
BY_ROW = {name: {str(at): one for at, one in enumerate(values)} for name, values in COLUMNS.items()}
YOLO_TEXT = "".join(
    f"   {epoch}/2     10.1G   0.07  0.02   0.01  0.1   61   640   0.1  0.2   0.{epoch}5   0.{epoch}1  0.06 0.02 0.01\n"
    for epoch in range(3)
)
CHART = (
    '"Step","sun-1 - val/loss","sun-1 - val/loss__MIN","sun-1 - val/loss__MAX","sea-2 - val/loss"\n'
    '"0","1.5","1.5","1.5","1.4"\n"10","1.2","1.2","1.2",""\n'
)
LIGHTEVAL = {
    "config_general": {"model_name": "org/small", "model_sha": "x"},
    "results": {"arc:challenge|25": {"acc": 0.5, "acc_stderr": 0.01}},
    "versions": {"arc:challenge|25": 0},
}
LLM_C = (
    "step    1/9 | loss 11.00 (+nanz)| norm 10.0 (+nanz)| lr 8.57e-07 | 100.0 ms\nval loss 10.9\n"
    "step    2/9 | loss 10.90 (+nanz)| norm 9.0 (+nanz)| lr 1.70e-06 | 100.0 ms\nval loss 10.5\n"
)

AIM = "idx,step,value,run.hash,run.hparams.lr,metric.name,metric.context.subset\n" + "".join(
    f"{at},{at},0.{last - 1 + at},{run},0.1,acc,val\n" for run, last in (("a1", 7), ("b2", 6)) for at in (0, 1)
)
CATBOOST = json.dumps(
    {
        "meta": {
            "test_sets": ["test"],
            "learn_sets": ["learn"],
            "learn_metrics": [{"name": "AUC"}],
            "test_metrics": [{"name": "AUC"}],
        },
        "iterations": [{"learn": [0.4 * at], "iteration": at, "test": [0.35 * at]} for at in (1, 2)],
    }
)
FAIRSEQ = "".join(
    f"2026-05-01 10:00:00 | I | train_inner | epoch {at:03d}:  50 / 100 loss={6 / at}, lr=0.1, num_updates={at * 50}\n"
    f"2026-05-01 10:00:01 | INFO | valid | epoch {at:03d} | valid on 'valid' subset | loss {5.5 / at} | ppl 6.5 | "
    f"wps 3000 | num_updates {at * 50} | best_loss {5.5 / at}\n"
    f"2026-05-01 10:00:02 | INFO | train | epoch {at:03d} | loss {5 / at} | num_updates {at * 50} | gnorm 1.1\n"
    for at in (1, 2)
)
FAIRSEQ_JSON = "".join(
    f'[2026-05-01 10:00:00,1][train_inner][INFO] - {{"epoch": {at}, "loss": "{4 / at}", "num_updates": "{at}"}}\n'
    f'[2026-05-01 10:00][valid][INFO] - {{"epoch": {at}, "valid_loss": "{4.5 / at}", "valid_num_updates": "{at}"}}\n'
    for at in (1, 2)
)
MEGATRON = "".join(
    f" [2026-05-01 10:00:00] iteration {at:8d}/ 20 | consumed samples: {at} | learning rate: 1.5E-04 | "
    f"lm loss: {20 / at:.6E} | grad norm: 1.5 | number of skipped iterations:   0 | number of nan iterations:   0 |\n"
    f" validation loss at iteration {at} | lm loss value: {25 / at:.6E} | lm loss PPL: 1.2E+01 |\n"
    for at in (5, 10)
)
ESPNET = "".join(
    f"[host:0/1] 2026-05-01 10:00:00,1 (trainer:7) INFO: {at}epoch:train:1-9batch: loss={90 / at}, acc=0.2\n"
    f"[host] 2026-05-01 10:01:00,1 (t:3) INFO: {at}epoch results: [train] loss={70 / at}, acc=0.3, time=5 minutes, "
    f"[valid] loss={80 / at}, acc=0.5, time=20.1 seconds, [att_plot] time=10 seconds\n"
    for at in (1, 2)
)
IMAGENET = (
    "".join(
        f"Epoch: [{at}][ {batch}/10]\tTime  0.5 ( 0.6)\tLoss {6 / at:.4e} (7.0e+00)\tAcc@1   {4.5 * at:.2f} (  9.00)\n"
        for at in (1, 2)
        for batch in (0, 5)
    )
    + "Test: [0/2]\tTime  0.5 ( 0.6)\tLoss 7.0e+00 (7.0e+00)\tAcc@1   1.00 (  1.00)\n *   Acc@1 8.250 Acc@5 16.500\n"
)
KERAS_TUNER = json.dumps(
    {
        "trial_id": "%d",
        "hyperparameters": {"space": [], "values": {"lr": 0.1}},
        "metrics": {"metrics": {"val_accuracy": {"observations": [{"value": [0.4, 0.6], "step": 1}]}}},
        "score": 0.5,
        "status": "COMPLETED",
    }
)
INSPECT = json.dumps(
    {
        "version": 2,
        "status": "success",
        "eval": {"task": "t", "model": "m"},
        "results": {
            "total_samples": 2,
            "completed_samples": 2,
            "scores": [{"name": "match", "metrics": {"accuracy": {"name": "accuracy", "value": 0.5}}}],
        },
    }
)
SPEECHBRAIN = "".join(
    f"epoch: {at}, lr: 1.00e-04 - train loss: 2.{6 - at} - valid loss: 2.{9 - at}, valid WER: {80 - at}.00\n"
    for at in (1, 2)
)

# format, file → content, run → metrics that must come out.
SHAPES: dict[str, tuple[str, dict[str, str], dict[str, dict[str, float]]]] = {
    "pandas' numbers of rows": ("csv", {"history.csv": ",loss,acc\n0,1.2,0.5\n1,0.9,0.7\n"}, {"": {"loss": 0.9}}),
    "blanks between columns": (
        "csv",
        {"log.csv": "epoch  loss   acc\n1  1.2 0.5\n2   0.9   0.7\n"},
        {"": {"acc": 0.7}},
    ),
    "a header behind a hash": ("csv", {"log.csv": "# epoch,loss\n1,1.2\n2,0.9\n"}, {"": {"loss": 0.9}}),
    "a note with a comma above the header": (
        "csv",
        {"log.csv": "# trained on MIMIC, seed 42\nepoch,loss\n1,1.2\n2,0.9\n"},
        {"": {"loss": 0.9}},
    ),
    "empty lines above the header": ("csv", {"log.csv": "\n# note\n\nepoch,loss\n1,1.2\n2,0.9\n"}, {"": {"loss": 0.9}}),
    "a note above the header": (
        "csv",
        {"monitor.csv": '#{"t_start": 1.5, "env_id": "Cart"}\nepoch,reward\n1,20\n2,25\n'},
        {"": {"reward": 25.0}},
    ),
    "capitals, semicolons and decimal commas": (
        "csv",
        {"log.csv": "Epoch;Train Loss;Val Acc\n1;1,25;0,51\n2;1,05;0,61\n"},
        {"": {"Train Loss": 1.05, "Val Acc": 0.61}},
    ),
    "an epoch and a loss, of nobody's tool": (
        "csv",
        {"log.csv": "epoch,train_loss,loss,val_loss\n0,1,1,2\n1,1,0.9,1\n"},
        {"": {"loss": 0.9}},
    ),
    "the only table of a folder": (
        "csv",
        {"summary.csv": "epoch,train_loss\n0,6.9\n1,6.1\n"},
        {"": {"train_loss": 6.1}},
    ),
    "Keras' NA where nothing was measured": (
        "keras",
        {"log.csv": "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.2,0.6,1.1\n1,0.7,0.9,NA,NA\n"},
        {"": {"val_loss": 1.1, "loss": 0.9}},
    ),
    "Keras with semicolons": (
        "keras",
        {"training.log": "epoch;accuracy;loss\n0;0.5;1.2\n1;0.7;0.9\n"},
        {"": {"loss": 0.9}},
    ),
    "a history of names within names": (
        "json",
        {"history.json": json.dumps({"train": {"loss": [1, 0.9]}, "val": {"acc": [0.5, 0.6]}})},
        {"": {"train.loss": 0.9, "val.acc": 0.6}},
    ),
    "a history by epoch": (
        "json",
        {"log.json": json.dumps({"1": {"loss": 1.0}, "2": {"loss": 0.9}})},
        {"": {"loss": 0.9}},
    ),
    "a data frame as JSON": (
        "json",
        {"history.json": json.dumps({"loss": {"0": 1.2, "1": 0.9}})},
        {"": {"loss": 0.9}},
    ),
    "objects a line in a text": (
        "json_log",
        {"log.txt": '{"train_loss": 10.0, "epoch": 0, "n_parameters": 4}\n{"train_loss": 9.0, "epoch": 1}\n'},
        {"": {"train_loss": 9.0}},
    ),
    "Detectron2's metrics, which are lines": (
        "json_log",
        {"output/metrics.json": '{"iteration": 19, "total_loss": 2.1}\n{"bbox/AP": 31.2, "iteration": 39}\n'},
        {"": {"total_loss": 2.1, "bbox/AP": 31.2}},
    ),
    "YOLO before it had headers": (
        "ultralytics",
        {"exp/results.txt": YOLO_TEXT},
        {"": {"metrics/mAP_0.5:0.95": 0.21, "val/cls_loss": 0.01}},
    ),
    "llm.c on the screen": ("nanogpt", {"log.txt": LLM_C}, {"": {"val/loss": 10.5, "grad_norm": 9.0}}),
    "a loss over an epoch": (
        "lightning",
        {"train/runs/x/csv/version_0/metrics.csv": "epoch,step,train_loss_step,train_loss_epoch\n0,9,2.1,\n0,9,,2.0\n"},
        {"": {"train_loss_epoch": 2.0, "train_loss_step": 2.1}},
    ),
    "launches of one work folder": (
        "mmengine",
        {
            f"exp/2024010{day}_000000/vis_data/scalars.json": f'{{"loss": {day}.5, "iter": 1, "step": 1}}\n'
            for day in (1, 2)
        },
        {"20240101_000000": {"loss": 1.5}, "20240102_000000": {"loss": 2.5}},
    ),
    "candidates as columns": ("sklearn", {"cv.json": json.dumps(COLUMNS)}, {"0": {"mean_test_score": 0.8}, "1": {}}),
    "candidates as rows": ("sklearn", {"cv.json": json.dumps(GRID)}, {"0": {"mean_test_score": 0.8}, "1": {}}),
    "candidates as a data frame": (
        "sklearn",
        {"cv.json": json.dumps(BY_ROW)},
        {"1": {"mean_test_score": 0.9}, "0": {}},
    ),
    "a row a model": (
        "long_csv",
        {"results.csv": "model,accuracy,param_count\nresnet50,80.1,25\nvit,84.5,86\n"},
        {"resnet50": {"accuracy": 80.1}, "vit": {"accuracy": 84.5}},
    ),
    "MLflow's search_runs": (
        "long_csv",
        {"runs.csv": "run_id,experiment_id,status,metrics.acc,params.lr\na1,1,FINISHED,0.3,0.1\n"},
        {"a1": {"acc": 0.3}},
    ),
    "W&B's table of runs": (
        "long_csv",
        {"runs.csv": "Name,State,Created,lr,val/acc\nsun,finished,2024,0.1,0.9\nsea,crashed,2024,0.1,0.8\n"},
        {"sun": {"val/acc": 0.9}, "sea": {"val/acc": 0.8}},
    ),
    "W&B's chart": ("long_csv", {"runs.csv": CHART}, {"sun-1": {"val/loss": 1.2}, "sea-2": {"val/loss": 1.4}}),
    "rows of one model, which nothing tells apart": (
        "long_csv",
        {"results.csv": "model,acc\nnet,0.8\nnet,0.7\nvit,0.9\n"},
        {"net": {"acc": 0.8}, "net (2)": {"acc": 0.7}, "vit": {"acc": 0.9}},
    ),
    "what Aim returns": (
        "long_csv",
        {"runs.csv": AIM},
        {"a1": {"val/acc": 0.7}, "b2": {"val/acc": 0.6}},
    ),
    "Optuna's names of two levels": (
        "optuna",
        {"trials.csv": ",number,values,values,params,params,state\n,,0,1,lr,opt,\n0,0,0.5,0.7,0.1,sgd,COMPLETE\n"},
        {"0": {"values_0": 0.5, "values_1": 0.7}},
    ),
    "one parameter below a name": (
        "optuna",
        {"trials.csv": ",number,value,params,state\n,,,lr,\n0,0,0.5,0.1,COMPLETE\n"},
        {"0": {"value": 0.5}},
    ),
    "candidates in columns": (
        "sklearn",
        {"cv_results.csv": ",0,1\nmean_fit_time,0.1,0.1\nparam_C,0.1,1\nmean_test_score,0.8,0.9\n"},
        {"0": {"mean_test_score": 0.8}, "1": {"mean_test_score": 0.9}},
    ),
    "folds in columns": (
        "sklearn",
        {"cv.csv": ",0,1\nfit_time,0.1,0.1\ntest_score,0.8,0.9\n"},
        {"0": {"test_score": 0.8}, "1": {"test_score": 0.9}},
    ),
    "candidates in columns, as JSON": (
        "sklearn",
        {"cv.json": json.dumps({str(at): row for at, row in enumerate(GRID)})},
        {"0": {"mean_test_score": 0.8}, "1": {"mean_test_score": 0.9}},
    ),
    "DVCLive without plots": ("dvclive", {"dvclive/metrics.json": '{"acc": 0.9, "step": 3}'}, {"": {"acc": 0.9}}),
    "XGBoost's results": (
        "json",
        {"evals_result.json": json.dumps({"eval": {"auc": [0.5, 0.6]}})},
        {"": {"eval.auc": 0.6}},
    ),
    "XGBoost's cross-validation": ("csv", {"cv.csv": ",test-auc-mean\n0,0.8\n1,0.9\n"}, {"": {"test-auc-mean": 0.9}}),
    "skorch, with what was best so far": (
        "json",
        {"history.json": json.dumps([{"epoch": 1, "loss": 0.9, "loss_best": True, "batches": [{"loss": 1}]}] * 2)},
        {"": {"loss": 0.9}},
    ),
    "CatBoost": (
        "catboost",
        {f"{name}/catboost_info/catboost_training.json": CATBOOST for name in ("a", "b")},
        {"a": {"learn/AUC": 0.8, "test/AUC": 0.7}, "b": {"learn/AUC": 0.8}},
    ),
    "Keras Tuner": (
        "keras_tuner",
        {f"trial_{at}/trial.json": KERAS_TUNER % at for at in (0, 1)},
        {"trial_0": {"val_accuracy": 0.5}, "trial_1": {"val_accuracy": 0.5}},
    ),
    "inspect-ai, a folder a day": (
        "inspect_ai",
        {f"{day}/a.json": INSPECT for day in ("mon", "tue")},
        {"mon/a.json": {"match.accuracy": 0.5}, "tue/a.json": {"match.accuracy": 0.5}},
    ),
    "what XGBoost prints": (
        "text_log",
        {"train.log": "[0]\ttrain-auc:0.5\teval-auc:0.4\n[1]\ttrain-auc:0.7\teval-auc:0.6\n"},
        {"": {"train-auc": 0.7, "eval-auc": 0.6}},
    ),
    "what torchtune prints": (
        "text_log",
        {"log_1.txt": "Step 0 | loss:2.0 lr:2e-05 grad_norm:1.0 \nStep 1 | loss:1.9 lr:2e-05 grad_norm:1.1 \n"},
        {"": {"loss": 1.9, "grad_norm": 1.1}},
    ),
    "what SpeechBrain prints": (
        "text_log",
        {"train_log.txt": SPEECHBRAIN},
        {"": {"train loss": 2.4, "valid loss": 2.7, "valid WER": 78.0}},
    ),
    "what Hugging Face's Trainer prints": (
        "text_log",
        {"slurm.out": "{'loss': 0.9, 'epoch': 0.5}\n{'eval_loss': '0.8', 'eval_runtime': '1.2', 'epoch': '1'}\n"},
        {"": {"loss": 0.9, "eval_loss": 0.8}},
    ),
    "what Keras prints": (
        "text_log",
        {"train.log": "".join(f"Epoch {at}/2\n5/5 - 1s - loss: 0.{at} - val_loss: 0.8\n" for at in (2, 1))},
        {"": {"loss": 0.1, "val_loss": 0.8}},
    ),
    "what a loop prints of batches and of tests": (
        "text_log",
        {
            "train.log": "".join(
                f"Train Epoch: {epoch} [{at}/9 (0%)]\tLoss: {3 - epoch}.{5 - at}\n" for epoch in (1, 2) for at in (0, 4)
            )
            + "Test set: Average loss: 0.04, Accuracy: 98/100 (98%)\n"
        },
        {"": {"train/Loss": 1.1, "validation/Average loss": 0.04}},
    ),
    "what fairseq prints": (
        "text_log",
        {"train.log": FAIRSEQ},
        {"": {"train/loss": 2.5, "validation/loss": 2.75, "validation/ppl": 6.5}},
    ),
    "what fairseq prints as JSON": (
        "text_log",
        {"train.log": FAIRSEQ_JSON},
        {"": {"loss": 2.0, "valid_loss": 2.25}},
    ),
    "what Megatron prints": (
        "text_log",
        {"train.log": MEGATRON},
        {"": {"lm loss": 2.0, "grad norm": 1.5, "validation/lm loss value": 2.5}},
    ),
    "what ESPnet prints": (
        "text_log",
        {"train.log": ESPNET},
        {"": {"train/loss": 35.0, "validation/loss": 40.0, "validation/acc": 0.5}},
    ),
    "what CLU prints": (
        "text_log",
        {
            "run.log": "".join(
                f"I0501 10:00:00.1 14 logging_writer.py:48] [{at}] loss=0.{9 - at}, acc=0.5\n" for at in (5, 6)
            )
        },
        {"": {"loss": 0.3, "acc": 0.5}},
    ),
    "what PyTorch's examples print": (
        "text_log",
        {"train.log": IMAGENET},
        {"": {"Loss": 3.0, "Acc@1": 9.0, "validation/Acc@1": 8.25, "validation/Acc@5": 16.5}},
    ),
    "what a logger prints": (
        "text_log",
        {
            "out.log": "".join(
                f"2024-01-01 10:00:0{at},123 - INFO - Epoch [{at}/3] | train loss: 0.9 | val acc: 7{at}% | 3 of 4\n"
                for at in (1, 2)
            )
        },
        {"": {"train loss": 0.9, "val acc": 0.72}},
    ),
    "the data frame of Ray Tune's results": (
        "long_csv",
        {
            "df.csv": "loss,training_iteration,trial_id,config/lr\n0.5,6,52497_00000,0.1\n0.4,6,52497_00001,0.2\n",
        },
        {"52497_00000": {"loss": 0.5}, "52497_00001": {"loss": 0.4}},
    ),
    "a row a metric of one run": (
        "long_csv",
        {
            "metrics.csv": "timestamp,metric_name,value\n0.0,train:loss,2.0\n0.0,validation:accuracy,0.5\n"
            "60.0,train:loss,1.0\n60.0,validation:accuracy,0.7\n"
        },
        {"": {"train:loss": 1.0, "validation:accuracy": 0.7}},
    ),
    "a leaderboard with the numbers that pandas writes": (
        "long_csv",
        {"leaderboard.csv": ",model,accuracy,fit_order\n0,Forest,0.9,2\n1,Trees,0.8,1\n"},
        {"Forest": {"accuracy": 0.9}, "Trees": {"accuracy": 0.8}},
    ),
    "lighteval": ("lm_eval", {"out/m/results_x.json": json.dumps(LIGHTEVAL)}, {"": {"arc:challenge|25.acc": 0.5}}),
}
