"""Shapes of tables that programs of statistics, AutoML and spreadsheets write: who reads them, what must come out."""

from __future__ import annotations

TABLES: dict[str, tuple[str, dict[str, str], dict[str, dict[str, float]]]] = {
    "PyCaret's folds, which it sums up": (
        "long_csv",
        {"folds.csv": "Fold,Accuracy,Prec.\n0,0.8,0.7\n1,0.9,0.6\nMean,0.85,0.65\nStd,0.05,0.05\n"},
        {"fold0": {"Accuracy": 0.8, "Prec.": 0.7}, "fold1": {"Accuracy": 0.9}},
    ),
    "a sheet with merged cells and an average": (
        "long_csv",
        {"sheet.csv": "Model,Seed,Accuracy\nnet,1,84.5%\n,2,85.5%\nvit,1,88%\n,2,89%\nAverage,,86.75%\n"},
        {
            "net-seed1": {"Accuracy": 0.845},
            "net-seed2": {"Accuracy": 0.855},
            "vit-seed1": {"Accuracy": 0.88},
            "vit-seed2": {"Accuracy": 0.89},
        },
    ),
    "models that are called as sums are": (
        "long_csv",
        {"poolings.csv": "model,acc\nmean,0.8\nmax,0.7\nSE,0.75\nMean teacher,0.9\ncls,0.85\n"},
        {
            "mean": {"acc": 0.8},
            "max": {"acc": 0.7},
            "SE": {"acc": 0.75},
            "Mean teacher": {"acc": 0.9},
            "cls": {"acc": 0.85},
        },
    ),
    "sums below each model, and below all": (
        "long_csv",
        {
            "seeds.csv": "model,seed,acc\na,1,0.8\na,2,0.9\na,mean,0.85\na,std,0.07\nb,1,0.1\nb,2,0.3\nb,mean,0.2\n"
            "Average,,0.525\n"
        },
        {"a-seed1": {"acc": 0.8}, "a-seed2": {"acc": 0.9}, "b-seed1": {"acc": 0.1}, "b-seed2": {"acc": 0.3}},
    ),
    "steps beside a data set, its version, metric and mode": (
        "long_csv",
        {"results.csv": "epoch,dataset,version,metric,mode,value\n1,a,1,acc,gen,0.5\n2,a,1,acc,gen,0.6\n"},
        {"": {"acc": 0.6}},
    ),
    "workflows whose configurations are called alike": (
        "long_csv",
        {
            "set.csv": "wflow_id,.config,.metric,mean,n,std_err\n"
            + "".join(f"{name},M1,rmse,0.{at},10,0.01\n" for at, name in ((5, "lm"), (4, "rf")))
        },
        {"lm": {"rmse": 0.5}, "rf": {"rmse": 0.4}},
    ),
    "a history that says other words at each step": (
        "csv",
        {"history.csv": "loss,val_loss,sample\n3,3.5,a cat\n2,2.5,the dog\n1,1.5,no bird\n"},
        {"": {"loss": 1.0, "val_loss": 1.5}},
    ),
    "cycles, which are no result": (
        "csv",
        {"history.csv": "cycle,epoch,loss\n0,0,3\n0,1,2\n1,0,2.5\n1,1,1.5\n"},
        {"": {"loss": 1.5}},
    ),
    "Weka's experimenter": (
        "long_csv",
        {
            "result.csv": "Key_Dataset,Key_Run,Key_Fold,Key_Scheme,Number_correct,Percent_correct\n"
            + "".join(f"'iris',1,{fold},'weka.J48',14.0,9{fold}.0\n" for fold in (1, 2))
        },
        {
            "weka.J48-fold1": {"Percent_correct": 91.0},
            "weka.J48-fold2": {"Percent_correct": 92.0},
        },
    ),
    "mlr3's benchmark": (
        "long_csv",
        {
            "bmr.csv": "nr,task_id,learner_id,resampling_id,iteration,classif.ce\n"
            + "".join(f"{nr},sonar,{name},cv,1,0.{nr}\n" for nr, name in ((1, "rpart"), (2, "ranger")))
        },
        {"rpart": {"classif.ce": 0.1}, "ranger": {"classif.ce": 0.2}},
    ),
    "tidymodels, tuned": (
        "long_csv",
        {
            "tuned.csv": "mtry,.metric,.estimator,mean,n,std_err,.config\n"
            + "".join(
                f"{at},{m},binary,0.{at}{k},10,0.01,M{at}\n"
                for at in (1, 2)
                for k, m in ((5, "accuracy"), (7, "roc_auc"))
            )
        },
        {"M1": {"accuracy": 0.15, "roc_auc": 0.17}, "M2": {"accuracy": 0.25, "roc_auc": 0.27}},
    ),
    "tidymodels, by fold": (
        "long_csv",
        {
            "folds.csv": "id,.metric,.estimator,.estimate,.config\n"
            + "".join(f"Fold{at},accuracy,binary,0.{at},M1\n" for at in (1, 2))
        },
        {"M1-Fold1": {"accuracy": 0.1}, "M1-Fold2": {"accuracy": 0.2}},
    ),
    "caret's tuning": (
        "long_csv",
        {
            "tuned.csv": '"","mtry","Accuracy","Kappa","AccuracySD","KappaSD"\n'
            '"1",2,0.9,0.8,0.1,0.1\n"2",4,0.7,0.6,0.1,0.1\n'
        },
        {"mtry=2": {"Accuracy": 0.9}, "mtry=4": {"Accuracy": 0.7, "AccuracySD": 0.1}},
    ),
    "OpenCompass's summary": (
        "long_csv",
        {
            "x/summary/summary_20260101.csv": "dataset,version,metric,mode,small-7b,large-70b\n"
            "gsm8k,1d7fe4,accuracy,gen,54.2,70.6\nmmlu,-,naive_average,gen,61.9,63.2\nqa,-,-,-,-,-\n"
        },
        {
            "small-7b": {"gsm8k/accuracy": 54.2, "mmlu/naive_average": 61.9},
            "large-70b": {"gsm8k/accuracy": 70.6, "mmlu/naive_average": 63.2},
        },
    ),
    "H2O's leaderboard": (
        "long_csv",
        {"leaderboard.csv": "model_id,auc,logloss\nGBM_1,0.78,0.56\nDRF_1,0.76,0.58\n"},
        {"GBM_1": {"auc": 0.78}, "DRF_1": {"auc": 0.76, "logloss": 0.58}},
    ),
}
