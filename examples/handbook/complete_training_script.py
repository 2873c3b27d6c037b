"""A training with monitor and recovery, from one configuration file.

    cd examples/handbook && WANDB_MODE=offline python complete_training_script.py

Needs the extra `wandb`. Everything that is not here is in training_parts.py.
"""

from __future__ import annotations

import wandb
import yaml
from auto_recovery import AutoRecoverySystem
from experiment_analyzer import TrainingMonitor
from training_parts import finalize_experiment, setup_training, train_step, validate_model


def main() -> None:
    """Train as config/experiment_config.yaml says."""
    with open("config/experiment_config.yaml") as file:  # noqa: PTH123
        config = yaml.safe_load(file)
    monitoring = config["experiment_monitoring"]
    wandb.init(project=config["project_name"], name=config["experiment_name"], config=config)
    monitor = TrainingMonitor(monitoring["anomaly_detection"])
    recovery = AutoRecoverySystem(config["checkpoint_dir"], monitoring["auto_recovery"]["strategies"])
    model, train_loader, val_loader, optimizer = setup_training(config)
    step = 0
    for _ in range(config["trainer"]["max_epochs"]):
        for batch in train_loader:
            train_step(model, batch, optimizer)
            if step % config["validation_interval"] == 0:
                metrics = validate_model(model, val_loader)
                wandb.log(metrics, step=step)
                anomalies = monitor.log_step(step, metrics)
                if anomalies and monitoring["auto_recovery"]["enable"]:
                    action = recovery.implement_recovery_strategy(anomalies[0], model.state_dict())
                    print(
                        f"step {step}: {action.strategy if action else 'nothing is done'}, since {anomalies[0].metric}"
                    )
            step += 1
    print({name: round(value, 3) for name, value in validate_model(model, val_loader).items()})
    finalize_experiment(model)
    monitor.close()
    wandb.finish()


if __name__ == "__main__":
    main()
