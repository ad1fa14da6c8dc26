"""What the door says about a name that is not there: a misspelling, or something Keras has and Convista has not yet."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterable

from convista.errors import suggest

# The public names of Keras 3.15 that Convista does not have; a test compares them with Keras.
_IN_KERAS = {
    "": """
        DTypePolicy FloatDTypePolicy Function Initializer InputSpec KerasTensor Operation Quantizer Regularizer
        RematScope StatelessScope SymbolicScope Variable applications backend config constraints device distillation
        distribution dtype_policies export legacy mixed_precision name_scope ops quantizers random
        regularizers remat saving src tree version visualization wrappers
    """,
    "activations": """
        celu deserialize glu hard_shrink hard_silu hard_swish hard_tanh log_sigmoid mish serialize soft_shrink
        sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink threshold
    """,
    "callbacks": """
        BackupAndRestore CallbackList LambdaCallback OrbaxCheckpoint ProgbarLogger RemoteMonitor SwapEMAWeights
        TensorBoard TerminateOnNaN
    """,
    "datasets": "boston_housing california_housing imdb reuters",
    "initializers": """
        Constant Identity IdentityInitializer Initializer STFT STFTInitializer VarianceScaling constant deserialize
        identity serialize stft variance_scaling
    """,
    "layers": """
        ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
        AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D AdditiveAttention AlphaDropout Attention AugMix
        AutoContrast Average AveragePooling1D AveragePooling3D AvgPool1D AvgPool3D Bidirectional CategoryEncoding
        CenterCrop ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2DTranspose Conv3D
        Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2DTranspose
        Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CutMix DepthwiseConv1D DepthwiseConv2D
        Discretization Dot ELU EinsumDense Embedding Equalization FlaxLayer GRU GRUCell GaussianDropout GaussianNoise
        GlobalAveragePooling1D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool3D
        GlobalMaxPooling1D GlobalMaxPooling3D GroupNormalization GroupQueryAttention HashedCrossing Hashing Identity
        InputSpec IntegerLookup JaxLayer LSTM LSTMCell Lambda LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes
        MaxPool1D MaxPool3D MaxPooling1D MaxPooling3D Maximum MelSpectrogram Minimum MultiHeadAttention Multiply
        Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomColorDegeneration
        RandomElasticTransform RandomGaussianBlur RandomInvert RandomPerspective RandomPosterization RandomSharpness
        RepeatVector Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SeparableConvolution1D
        SeparableConvolution2D SimpleRNN SimpleRNNCell Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D
        SpectralNormalization StackedRNNCells StringLookup Subtract TFSMLayer TextVectorization TimeDistributed
        TorchModuleWrapper UnitNormalization UpSampling1D UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding3D
        average deserialize dot maximum minimum multiply serialize subtract
    """,
    "losses": """
        BinaryFocalCrossentropy CTC CategoricalFocalCrossentropy CategoricalGeneralizedCrossEntropy CategoricalHinge
        Circle CosineSimilarity Dice Hinge Huber KLDivergence LogCosh MeanAbsolutePercentageError
        MeanSquaredLogarithmicError Poisson SquaredHinge Tversky binary_crossentropy binary_focal_crossentropy
        categorical_crossentropy categorical_focal_crossentropy categorical_generalized_cross_entropy
        categorical_hinge circle cosine_similarity ctc deserialize dice hinge huber kl_divergence log_cosh
        mean_absolute_error mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error poisson
        serialize sparse_categorical_crossentropy squared_hinge tversky
    """,
    "metrics": """
        AUC BinaryCrossentropy BinaryIoU CategoricalCrossentropy CategoricalHinge ConcordanceCorrelation
        CosineSimilarity FBetaScore FalseNegatives FalsePositives Hinge IoU KLDivergence LogCoshError Mean
        MeanAbsolutePercentageError MeanIoU MeanMetricWrapper MeanSquaredLogarithmicError OneHotIoU OneHotMeanIoU
        PearsonCorrelation Poisson PrecisionAtRecall R2Score RecallAtPrecision RootMeanSquaredError
        SensitivityAtSpecificity SparseCategoricalCrossentropy SpecificityAtSensitivity SquaredHinge Sum
        TrueNegatives TruePositives binary_accuracy binary_crossentropy binary_focal_crossentropy
        categorical_accuracy categorical_crossentropy categorical_focal_crossentropy categorical_hinge
        concordance_correlation deserialize hinge huber kl_divergence log_cosh mean_absolute_error
        mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error pearson_correlation poisson
        serialize sparse_categorical_accuracy sparse_categorical_crossentropy sparse_top_k_categorical_accuracy
        squared_hinge top_k_categorical_accuracy
    """,
    "models": "clone_model model_from_json save_model",
    "optimizers": """
        Adadelta Adafactor Adagrad Adamax Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon Nadam OptimizerMap
        ScheduleFreeAdamW deserialize legacy serialize
    """,
    "optimizers.schedules": "CosineDecayRestarts InverseTimeDecay deserialize serialize",
    "preprocessing": """
        image_dataset_from_directory sequence text_dataset_from_directory timeseries_dataset_from_array
    """,
    "preprocessing.image": "array_to_img img_to_array load_img save_img smart_resize",
    "utils": """
        Config CustomObjectScope FeatureSpace Progbar PyDataset Sequence array_to_img audio_dataset_from_directory
        bounding_boxes clear_session custom_object_scope deserialize_keras_object disable_interactive_logging
        enable_interactive_logging get_custom_objects get_file get_registered_name get_registered_object
        get_source_inputs image_dataset_from_directory img_to_array is_interactive_logging_enabled is_keras_tensor
        legacy load_img model_to_dot normalize pack_x_y_sample_weight pad_sequences plot_model
        register_keras_serializable save_img serialize_keras_object split_dataset standardize_dtype
        text_dataset_from_directory timeseries_dataset_from_array unpack_x_y_sample_weight
    """,
}


def in_keras(module: str) -> frozenset[str]:
    """Return the names that Keras has in a module and Convista has not.

    Args:
        module: Its name below ``keras``, such as ``"optimizers.schedules"``; empty for ``keras`` itself.

    Example:
        >>> sorted(in_keras("datasets"))
        ['boston_housing', 'california_housing', 'imdb', 'reuters']
    """
    return frozenset(_IN_KERAS[module].split())


def absent(module: str, name: str, known: Iterable[str]) -> AttributeError | ImportError:
    """Return what to raise for a name that a module of the door has not; for that module's ``__getattr__`` alone.

    Args:
        module: The module's ``__name__``.
        name: The name that was asked for.
        known: The names that it has.

    Returns:
        An AttributeError; for ``from module import name`` an ImportError of the same message.

    Example:
        >>> print(absent("convista.keras.layers", "Conv2d", ["Conv2D", "Dense"]))
        convista.keras.layers has no 'Conv2d'. Did you mean 'Conv2D'?
        >>> print(absent("convista.keras.datasets", "imdb", ["mnist"]))
        Keras has datasets.imdb, but Convista does not have it yet. convista.keras.datasets has: mnist.
    """
    below = module.removeprefix("convista.keras").lstrip(".")
    if name in in_keras(below):
        words = f"Keras has {f'{below}.' if below else ''}{name}, but Convista does not have it yet. "
        message = f"{words}{module} has: {', '.join(sorted(known))}."
    else:
        message = f"{module} has no {name!r}. {suggest(name, known)}"
    if _imports_from(sys._getframe(2)):
        return ImportError(message, name=module)
    return AttributeError(message, name=name)


def _imports_from(frame: object) -> bool:
    """Whether a frame is executing ``from module import name``: there Python would hide an AttributeError's message."""
    code, place = getattr(frame, "f_code", None), getattr(frame, "f_lasti", -1)
    return code is not None and place >= 0 and dis.opname[code.co_code[place]] == "IMPORT_FROM"
