"""What exact searches know of models of a user's own, by name: apart from what reads them, so that reading a study
imports none of their libraries."""

from __future__ import annotations

# Layers that pass on what they are given when a model predicts, and those that are followed.
PASSING = (
    "InputLayer", "Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization", "Identity",
)  # fmt: skip
KERAS_LAYERS = (
    *("Dense", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "BatchNormalization", "Normalization", "Rescaling"),
    *("Flatten", "Concatenate", "Add", "Average"),
    *PASSING,
)
# Operations of ONNX that are followed.
ONNX_OPERATIONS = (
    *("Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "Neg", "Sum", "Mean", "BatchNormalization", "Scaler"),
    *("LinearRegressor", "Relu", "LeakyRelu", "PRelu", "Abs", "Elu", "Selu", "Celu", "Gelu", "Erf", "Sigmoid", "Swish"),
    *("HardSigmoid", "HardSwish", "Softplus", "Softsign", "Mish", "Tanh", "Clip", "Max", "Min", "Constant", "Identity"),
    *("Dropout", "Cast", "Transpose", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Concat", "Gather", "Slice"),
    "Split",
)
# Models of scikit-learn whose prediction is a plane of coefficients.
LINEAR = (
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso",
    "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR", "MultiTaskElasticNet",
    "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV", "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV", "QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
)  # fmt: skip
NETWORK, PROCESS = "MLPRegressor", "GaussianProcessRegressor"
# Sums over some of the rows, as those of processes.
VECTORS = ("SVR", "NuSVR")
# By the class of a model that varies smoothly, the form that it is bounded in.
SKLEARN_FORMS = {**dict.fromkeys(LINEAR, "planes"), NETWORK: "network", **dict.fromkeys((PROCESS, *VECTORS), "process")}
# Models that another one stands within, and the mean of several.
WITHIN, VOTING, BAGGING = ("Pipeline", "TransformedTargetRegressor"), "VotingRegressor", "BaggingRegressor"
# Functions that undo a transform of the target: rising ones of `trees.links`.
INVERSES = ("exp", "expm1")
# Objectives of XGBoost and LightGBM whose output is a rising function of the sum of the trees, by its name.
XGBOOST_LINKS = {
    "count:poisson": "exp", "reg:gamma": "exp", "reg:tweedie": "exp", "reg:logistic": "logistic",
    "binary:logistic": "logistic",
}  # fmt: skip
LIGHTGBM_LINKS = {
    "poisson": "exp", "gamma": "exp", "tweedie": "exp", "cross_entropy": "logistic", "binary": "logistic",
}  # fmt: skip
SKLEARN_TREES = frozenset(
    {
        *("BaggingRegressor", "DecisionTreeRegressor", "ExtraTreeRegressor", "ExtraTreesRegressor"),
        *("GradientBoostingRegressor", "HistGradientBoostingRegressor", "RandomForestRegressor"),
    }
)
# What may stand before a model that varies smoothly, and scale its target.
TARGETS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")
STEPS = (
    "str", "ColumnTransformer", "Pipeline", "SimpleImputer", "FunctionTransformer", *TARGETS, "OneHotEncoder",
    "OrdinalEncoder", "TargetEncoder",
)  # fmt: skip
UNBOUNDED_KERNELS = ("CompoundKernel", "DotProduct", "ExpSineSquared", "Exponentiation")
