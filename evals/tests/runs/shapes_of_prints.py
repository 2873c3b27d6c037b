"""Shapes of what programs print while they train, beside those of `shapes`: tables, lists, names behind commas."""

from __future__ import annotations

SPACY = (
    "\u2139 Pipeline: ['tok2vec', 'ner']\n"
    "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  ENTS_P  ENTS_R  SCORE \n"
    "---  ------  ------------  --------  ------  ------  ------  ------\n"
    "  0       0          0.00     45.50    0.57    0.55    0.60    0.01\n"
    "  1     200         93.30   2354.14   64.20   66.10   62.41    0.64\n"
    "\u2714 Saved pipeline to output directory\noutput/model-last\n"
)
SKORCH = (
    "  epoch    train_loss    valid_acc    valid_loss     dur\n"
    "-------  ------------  -----------  ------------  ------\n"
    "      1        \x1b[36m0.9113\x1b[0m       \x1b[32m0.3500\x1b[0m        \x1b[35m0.8342\x1b[0m  0.0403\n"
    "      2        0.8291       0.4000        0.7608  0.0043\n"
)
FASTAI = "epoch     train_loss  valid_loss  accuracy  time    \n" + "".join(
    f"{at}         0.{9 - at}00000    0.{8 - at}00000    0.{at + 5}00000  00:0{at}    \n" for at in range(3)
)
MARKDOWN = "| epoch | loss | f1 |\n|---:|---:|---:|\n| 1 | 0.9 | 0.5 |\n| 2 | 0.8 | - |\n| 3 | 0.7 | 0.6 |\n"
MLX = (
    "Starting training..., iters: 20\nIter 1: Val loss 2.650, Val took 12.345s\n"
    + "".join(
        f"Iter {at}: Train loss 2.{9 - at // 10}00, Learning Rate 1.000e-05, It/sec 1.234, Trained Tokens {at}, "
        "Peak mem 15.012 GB\n"
        for at in (10, 20)
    )
    + "Iter 20: Val loss 2.5, Val took 11.9s\nTest loss 1.234, Test ppl 3.435.\n"
)
NNUNET = "".join(
    f"2026-01-01 12:0{at}:00.123456: {line}\n"
    for at in range(2)
    for line in (
        "",
        f"Epoch {at} ",
        "Current learning rate: 0.01 ",
        f"train_loss -0.{at + 1} ",
        f"val_loss -0.{at + 2} ",
        f"Pseudo dice [0.{at + 5}1, np.float32(0.{at + 5}2)] ",
        "Epoch time: 42.1 s ",
    )
)

PRINTED: dict[str, tuple[str, dict[str, str], dict[str, dict[str, float]]]] = {
    "what spaCy prints": (
        "text_log",
        {"train.log": SPACY},
        {"": {"SCORE": 0.64, "ENTS_F": 64.2, "LOSS NER": 2354.14}},
    ),
    "what skorch prints": ("text_log", {"train.log": SKORCH}, {"": {"train_loss": 0.8291, "valid_acc": 0.4}}),
    "what fastai prints": ("text_log", {"train.log": FASTAI}, {"": {"valid_loss": 0.6, "accuracy": 0.7}}),
    "Spinning Up's progress": (
        "spinning_up",
        {
            f"s{seed}/progress.txt": "Epoch\tAverageEpRet\tEpLen\tTotalEnvInteracts\tTime\n"
            f"0\t20.5\t20\t4000\t1.5\n1\t3{seed}.5\t31\t8000\t3.1\n"
            for seed in (1, 2)
        },
        {"s1": {"AverageEpRet": 31.5}, "s2": {"AverageEpRet": 32.5}},
    ),
    "a table of another kind below": (
        "text_log",
        {
            "train.log": "epoch train_loss val_loss\n1 0.5 0.7\n2 0.4 0.8\n3 0.3 0.9\n"
            "class precision recall\n0 0.5 0.7\n3 0.8 0.6\n"
        },
        {"": {"train_loss": 0.3, "val_loss": 0.9}},
    ),
    "a table in Markdown": ("text_log", {"train.log": MARKDOWN}, {"": {"loss": 0.7, "f1": 0.6}}),
    "what MLX prints": (
        "text_log",
        {"train.log": MLX},
        {"": {"Train loss": 2.7, "Val loss": 2.5, "Test loss": 1.234, "Test ppl": 3.435}},
    ),
    "what nnU-Net prints": (
        "text_log",
        {"fold_0/training_log_2026_1_1_12_00_00.txt": NNUNET},
        {"": {"train_loss": -0.2, "val_loss": -0.3, "Pseudo dice/0": 0.61, "Pseudo dice/1": 0.62}},
    ),
}
