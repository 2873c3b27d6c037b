"""Make this folder's files as DVCLive 3 writes them.

pip install dvclive; python make.py
"""

from __future__ import annotations

from dvclive import Live

with Live(".", save_dvc_exp=False, dvcyaml=None) as live:
    live.log_param("lr", 0.1)
    for step in range(3):
        live.log_metric("train/loss", 1 - step / 10)
        live.log_metric("acc", 0.5 + step / 10)
        live.next_step()
