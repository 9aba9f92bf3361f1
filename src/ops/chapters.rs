//! The manual's chapters: everything in the vocabulary is in one of them, `warp` in "Places and moves". A test reports
//! what is in none.

/// A chapter of the reference: a page under `docs/reference/operations/`, and a paragraph of `rord-run explain ops`.
pub struct Chapter {
    /// The page's file, without `.md`.
    pub file: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What its entries have in common, in Markdown.
    pub about: &'static str,
    /// The operations and functions it holds, in order; `fn cosine` is the function where an operation has the name
    /// too.
    pub names: &'static [&'static str],
}

/// The file of the chapter of what is not meant to be called: parts of functions, whose documentation begins with "Part
/// of".
pub const PARTS: &str = "parts";

/// Every chapter, in the order of the manual.
pub const CHAPTERS: &[Chapter] = &[
    Chapter {
        file: "layers",
        title: "Layers",
        about: "What networks are made of. Convolutions, `linear` and the norms but `instance_norm` have weights, so \
                they are called in models and layers alone.",
        names: &[
            "conv",
            "conv_transpose",
            "linear",
            "relu",
            "leaky_relu",
            "gelu",
            "silu",
            "tanh",
            "sigmoid",
            "max_pool",
            "avg_pool",
            "global_pool",
            "upsample",
            "rescale",
            "instance_norm",
            "batch_norm",
            "group_norm",
            "layer_norm",
            "standardize",
            "l2norm",
            "dropout",
            "invariant",
            "turns_to_channel",
            "permute_turns",
            "flatten",
            "concat",
            "space_to_channel",
            "channel_to_space",
            "shrink",
        ],
    },
    Chapter {
        file: "places",
        title: "Places and moves",
        about: "What leads from one view to another. Coordinates are normalized to [-1, 1] everywhere; \
                [what the operations compute](../../guide/numerics.md#coordinates) has the conventions.",
        names: &[
            "warp",
            "inside",
            "inv",
            "move",
            "sample",
            "place",
            "pick",
            "coords",
            "cells",
            "as_map",
            "seen",
            "length",
            "place_distance",
            "place_distances",
            "near",
            "soft_argmax",
            "dispersion",
        ],
    },
    Chapter {
        file: "choosing",
        title: "Choosing places",
        about: "Samplers and miners are recipes: they are passed on, as in `triplet(grid(200), hardneg(apart = 8px))`, \
                and whatever takes them carries them out. Without brackets a recipe has its defaults.",
        names: &["grid", "scatter", "peaks", "topk", "hardneg", "semihard", "random"],
    },
    Chapter {
        file: "maps",
        title: "Losses on maps",
        about: "What compares two maps of one frame, cell by cell or window by window. The target comes first. Where \
                there is a `mask`, cells count by its weight: the mean is Σ m·ℓ / max(1, Σ m), and a mask of one \
                channel weighs all channels.",
        names: &[
            "bce",
            "bce_logits",
            "focal_logits",
            "smoothl1",
            "l1",
            "mse",
            "huber",
            "dice",
            "fn cosine",
            "dot",
            "peaky",
            "cosim",
        ],
    },
    Chapter {
        file: "descriptors",
        title: "Losses on descriptors",
        about: "What compares vectors: those of descriptor maps at chosen places, or lists of them.",
        names: &[
            "triplet",
            "contrastive",
            "hardest_in_batch",
            "info_nce",
            "circle",
            "distance",
            "distances",
            "similarities",
            "rows",
        ],
    },
    Chapter {
        file: "numbers",
        title: "Arithmetic",
        about: "What losses are made of: numbers one by one, rows of tables, and means.",
        names: &[
            "mean",
            "sum",
            "uniform",
            "valid",
            "detach",
            "min",
            "max",
            "square",
            "abs",
            "exp",
            "log",
            "sqrt",
            "softplus",
            "hinge",
            "diagonal",
            "off_diagonal",
            "row_min",
            "col_min",
            "log_sum_exp",
        ],
    },
    Chapter {
        file: "axes",
        title: "Axes",
        about: "What works along axes, which are called by name: `over = channel`, `over = [row, column]` or `over = \
                place` says along which, `per = batch` which are left. [Axes](../../guide/axes.md) shows how values \
                with different axes meet. `mean`, `sum`, `min`, `max` and `log_sum_exp` are in the chapter before.",
        names: &[
            "variance",
            "std",
            "any",
            "all",
            "count",
            "softmax",
            "log_softmax",
            "sort",
            "top",
            "cumsum",
            "argmax",
            "argmin",
            "take",
            "rename",
            "transpose",
            "product",
            "identity",
            "levels",
            "size",
        ],
    },
    Chapter {
        file: "operators",
        title: "Operators",
        about: "These are written between their arguments. `rord-run explain add` and the others print their pages, \
                but nobody can call `add`.",
        names: &[
            "add",
            "sub",
            "mul",
            "div",
            "compose",
            "place_sub",
            "place_add",
            "offset_mul",
            "offset_div",
            "greater",
            "less",
            "greater_equal",
            "less_equal",
            "equal",
        ],
    },
    Chapter {
        file: "metrics",
        title: "Metrics",
        about: "Scores for `metric` items: they are computed in validation alone, and no gradient is asked of them.",
        names: &["repeatability", "matching_accuracy", "matched", "iou", "f1", "fpr_at_tpr"],
    },
    Chapter {
        file: "data",
        title: "Data",
        about: "Recipes for layouts, for datasets, and for what is done to a view. [Data](../../guide/data.md) shows \
                how they go together.",
        names: &[
            "synth",
            "gds",
            "images",
            "layout_pairs",
            "layout_images",
            "layout_patches",
            "labelled_layouts",
            "tensors",
            "square_symmetries",
            "rotations",
            "affine",
            "same_view",
            "brightness",
            "contrast",
            "gamma",
            "blur",
            "noise",
            "layers",
        ],
    },
    Chapter {
        file: "training",
        title: "Training",
        about: "Recipes for the [section](../sections.md) `train`: optimizers, a bound on gradients, and learning \
                rates.",
        names: &[
            "adam",
            "adamw",
            "sgd",
            "grad_norm",
            "grad_value",
            "after",
            "constant",
            "reduce_on_plateau",
            "cosine",
            "step",
            "linear_to_zero",
            "one_cycle",
        ],
    },
    Chapter {
        file: "weights",
        title: "How weights begin",
        about: "First values of weights that a model declares: `weight prototypes: Vectors[10, 128] = normal(0.01)`. \
                A number will do, too.",
        names: &["normal", "fan_in"],
    },
    Chapter {
        file: "changing",
        title: "Numbers that change",
        about: "Numbers that change from step to step while training. They stand in formulas and in arguments of data \
                that say so; [numbers that change](../../guide/changing.md) shows how.",
        names: &["ramp", "cosine_ramp", "steps_at", "pace"],
    },
    Chapter {
        file: PARTS,
        title: "Parts of losses",
        about: "Losses of the library are written in the language, and a function there is one expression: what an \
                intermediate value would be elsewhere is a function here. These are such parts. They can be called, \
                and `rord-run explain` shows them, but a pipeline should not: they may change their names and \
                arguments in any version.",
        names: &[
            "triplet_at",
            "triplet_of",
            "contrastive_at",
            "contrastive_of",
            "gap",
            "mined",
            "choice",
            "hardest_of",
            "circle_of",
            "peaky_of",
            "cosim_of",
            "matching_accuracy_at",
        ],
    },
    Chapter {
        file: "graphs",
        title: "In graphs only",
        about: "What `rord-run graph` shows and nobody writes: the two halves of `rescale`, and what runs a network \
                once for several views.",
        names: &["rescale_image", "rescale_map", "join", "part", "align"],
    },
];
