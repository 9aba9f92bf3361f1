//! Calls of PyTorch, JAX and friends, and how each is written here.

/// A call of another library.
pub struct Row {
    /// What it is called there, in lower case without underscores and modules.
    pub names: &'static [&'static str],
    /// What it works on, in order: the values that a module is called with.
    pub inputs: &'static [&'static str],
    /// Its other arguments, in order: those that a module is made with.
    pub made_with: &'static [&'static str],
    /// True for what is always made first: a layer, an optimizer, a schedule.
    pub layer: bool,
    /// How it is written here: the first of these that can be. `{x}` is an argument, `{(x)}` one that is put in
    /// brackets where it needs them, `{x|1}` has a default, `[…]` is left out where an argument in it is not given, and
    /// `?Vectors ` before one says of what kind the first input is.
    pub ours: &'static [&'static str],
    /// What else a reader should know.
    pub note: &'static str,
}

/// A row of the table.
const fn row(
    names: &'static [&'static str],
    inputs: &'static [&'static str],
    made_with: &'static [&'static str],
    ours: &'static [&'static str],
    note: &'static str,
) -> Row {
    Row { names, inputs, made_with, layer: false, ours, note }
}

/// A row for what is made first.
const fn layer(
    names: &'static [&'static str],
    inputs: &'static [&'static str],
    made_with: &'static [&'static str],
    ours: &'static [&'static str],
    note: &'static str,
) -> Row {
    Row { names, inputs, made_with, layer: true, ours, note }
}

const X: &[&str] = &["input"];
const PAIR: &[&str] = &["input", "target"];
const PARAMS: &[&str] = &[];

/// All of them, by what they are for.
pub const ROWS: &[Row] = &[
    // layers
    layer(
        &["conv2d", "convolution", "convolution2d"],
        X,
        &["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"],
        &[
            "conv({input}, {out_channels}, {kernel_size}[, stride = {stride}][, pad = {padding}][, dilation = {dilation}]\
           [, groups = {groups}][, bias = {bias}])",
        ],
        "the channels that come in are known; without `pad` the size stays",
    ),
    layer(
        &["convtranspose2d"],
        X,
        &["in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding"],
        &["conv_transpose({input}, {out_channels}, {kernel_size}[, stride = {stride}][, pad = {padding}]\
           [, output_pad = {output_padding}])"],
        "without a transposed convolution:  … |> upsample(2) |> conv(16, 3)",
    ),
    layer(
        &["linear", "dense"],
        X,
        &["in_features", "out_features", "bias"],
        &[
            "?Vectors linear({input}, {out_features}[, bias = {bias}])",
            "conv({input}, {out_features}, 1[, bias = {bias}])",
        ],
        "what comes in is known; on a map a linear layer is a convolution with kernel 1",
    ),
    layer(
        &["batchnorm2d", "batchnorm", "syncbatchnorm"],
        X,
        &["num_features", "eps", "momentum"],
        &["batch_norm({input})"],
        "",
    ),
    layer(&["instancenorm2d"], X, &["num_features"], &["instance_norm({input})"], ""),
    layer(&["groupnorm"], X, &["num_groups", "num_channels"], &["group_norm({input}, {num_groups})"], ""),
    layer(
        &["layernorm"],
        X,
        &["normalized_shape"],
        &["layer_norm({input})"],
        "`standardize` has no weights and takes one map at a time",
    ),
    row(
        &["maxpool2d"],
        X,
        &["kernel_size", "stride", "padding"],
        &["max_pool({input}, {kernel_size}[, stride = {stride}][, pad = {padding}])"],
        "",
    ),
    row(
        &["avgpool2d"],
        X,
        &["kernel_size", "stride", "padding"],
        &["avg_pool({input}, {kernel_size}[, stride = {stride}][, pad = {padding}])"],
        "",
    ),
    row(
        &["adaptiveavgpool2d", "globalavgpool", "globalaveragepooling2d"],
        X,
        &["output_size"],
        &["global_pool({input})"],
        "the mean of every channel:  mean(x, over = place)",
    ),
    row(&["dropout2d"], X, &["p"], &["dropout({input}[, {p}])"], ""),
    row(&["relu"], X, &["inplace"], &["relu({input})"], ""),
    row(&["gelu"], X, &["approximate"], &["gelu({input})", "{(input)} * sigmoid(1.702 * {(input)})"], ""),
    row(&["silu", "swish"], X, &["inplace"], &["silu({input})", "{(input)} * sigmoid({input})"], ""),
    row(
        &["leakyrelu"],
        X,
        &["negative_slope"],
        &["leaky_relu({input}[, {negative_slope}])", "relu({input}) - {negative_slope|0.01} * relu(0 - {(input)})"],
        "",
    ),
    row(&["tanh"], X, &[], &["tanh({input})", "2 * sigmoid(2 * {(input)}) - 1"], ""),
    row(
        &["interpolate", "upsamplingnearest2d", "upsamplingbilinear2d"],
        X,
        &["size", "scale_factor", "mode", "align_corners"],
        &["upsample({input}, {scale_factor}[, {mode}])"],
        "it grows by a whole number; in a frame of another size a map is read by  warp(x, by, like = …)",
    ),
    row(&["flatten"], X, &["start_dim", "end_dim"], &["?Map flatten({input})", "?Vectors rows({input})"], ""),
    row(
        &["view", "reshape", "permute", "movedim", "rearrange", "unsqueeze", "squeeze", "expand", "contiguous"],
        X,
        &["a", "b", "c", "d", "e"],
        &[],
        "axes have names and stay where they are: values meet by name. A map as one vector is  flatten(x),\n\
         the vectors of a batch as one list  rows(x),  and all places of a map are sampled with  sample(x, …)",
    ),
    row(
        &["transpose", "swapaxes"],
        X,
        &["dim0", "dim1"],
        &["?tables transpose({input})"],
        "axes have names, so values meet without turning them",
    ),
    row(
        &["pixelunshuffle", "spacetodepth"],
        X,
        &["downscale_factor"],
        &["space_to_channel({input}, {downscale_factor})"],
        "neighboring cells become channels by  conv(64, 2, stride = 2),  which is learned",
    ),
    row(
        &["pixelshuffle", "depthtospace"],
        X,
        &["upscale_factor"],
        &["channel_to_space({input}, {upscale_factor})"],
        "a map grows by  upsample(x, 2) |> conv(16, 3)",
    ),
    row(
        &["sequential", "modulelist", "module"],
        &[],
        &["a", "b", "c", "d"],
        &[],
        "layers follow each other in a chain:  x |> conv(16, 3) |> relu;  a network is a `model`, a part of one a `layer`",
    ),
    // numbers
    row(
        &["clamp", "clip", "cliptorange"],
        X,
        &["min", "max"],
        &[
            "clamp({input}, {min}, {max})",
            "{min} + hinge({(input)} - {min}) - hinge({(input)} - {max})",
            "{min} + hinge({(input)} - {min})",
            "{max} - hinge({max} - {(input)})",
        ],
        "hinge(x) is max(0, x)",
    ),
    row(
        &["softmax", "softmax2d"],
        X,
        &["dim"],
        &["softmax({input}, over = {dim|channel})"],
        "the probability of one of several is  exp(x - log_sum_exp(x))  along rows of a table",
    ),
    row(
        &["logsoftmax"],
        X,
        &["dim"],
        &["log_softmax({input}, over = {dim|channel})"],
        "along the rows of a table it is what  info_nce  is made of:  log_sum_exp(x)",
    ),
    row(&["logsumexp"], X, &["dim"], &["log_sum_exp({input}, over = {dim|channel})", "log_sum_exp({input})"], ""),
    row(&["rowsum"], X, &[], &["sum({input}, over = column)"], "the axis that goes is named"),
    row(&["colsum", "columnsum"], X, &[], &["sum({input}, over = row)"], "the axis that goes is named"),
    row(&["sum", "reducesum", "nansum"], X, &["dim"], &["sum({input}, over = {dim})"], "the axis that goes is named"),
    row(&["mean", "reducemean"], X, &["dim"], &["mean({input}, over = {dim})"], "the axis that goes is named"),
    row(
        &["std"],
        X,
        &["dim"],
        &["std({input}, over = {dim})", "std({input})"],
        "of all numbers the variance is  mean(square(x)) - square(mean(x))",
    ),
    row(
        &["var", "variance"],
        X,
        &["dim"],
        &["variance({input}, over = {dim})", "variance({input})"],
        "of all numbers the variance is  mean(square(x)) - square(mean(x))",
    ),
    row(
        &["amax", "reducemax"],
        X,
        &["dim"],
        &["max({input}, over = {dim})"],
        "the greater of two values is  max(a, b),  that of every window  max_pool(x, 3)",
    ),
    row(
        &["amin", "reducemin"],
        X,
        &["dim"],
        &["min({input}, over = {dim})"],
        "the lesser of two values is  min(a, b),  the least of each row of a table  row_min(d)",
    ),
    row(
        &["argsort"],
        X,
        &["dim"],
        &["sort({input}, over = {dim|channel})"],
        "numbers are sorted themselves; there are no places of them",
    ),
    row(
        &["pow", "power", "square"],
        X,
        &["exponent"],
        &["?2 square({input})", "?0.5 sqrt({input})"],
        "a square is  square(x),  a root  sqrt(x)",
    ),
    row(&["maximum", "elementwisemax"], &["input", "other"], &[], &["max({input}, {other})"], ""),
    row(&["minimum"], &["input", "other"], &[], &["min({input}, {other})"], ""),
    row(
        &["where", "select"],
        &["condition", "input", "other"],
        &[],
        &["{(condition)} * {(input)} + (1 - {(condition)}) * {(other)}"],
        "a mask chooses by multiplication",
    ),
    row(
        &["maskedfill"],
        &["input", "mask", "value"],
        &[],
        &["(1 - {(mask)}) * {(input)} + {(value)} * {(mask)}"],
        "a mean over what a mask leaves is  mean(x, mask = …)",
    ),
    row(&["oneslike"], X, &[], &["valid({input})"], ""),
    row(&["zeroslike"], X, &[], &["0 * valid({input})"], ""),
    row(&["stopgradient", "nograd"], X, &[], &["detach({input})"], ""),
    row(
        &["cat", "concatenate", "concat"],
        &["tensors"],
        &["dim"],
        &["concat({tensors})"],
        "it joins the channels of two maps",
    ),
    row(
        &["stack"],
        &["tensors"],
        &["dim"],
        &[],
        "views of one batch are values of their own; channels are joined by  concat(a, b)",
    ),
    // vectors
    row(&["normalize"], X, &["p", "dim"], &["l2norm({input})"], "every vector gets the length 1"),
    row(
        &["cosinesimilarity"],
        &["x1", "x2"],
        &["dim"],
        &[
            "?Map cosine({x1}, {x2})",
            "?lists 1 - 0.5 * distance(l2norm({x1}), l2norm({x2}), squared = true)",
            "?rows diagonal(similarities(l2norm({x1}), l2norm({x2})))",
        ],
        "of maps it is  cosine(a, b),  of every vector with every other  similarities(l2norm(a), l2norm(b))",
    ),
    row(
        &["pairwisedistance"],
        &["x1", "x2"],
        &["p"],
        &["?rows diagonal(distances({x1}, {x2}))", "distance({x1}, {x2}[, p = {p}])"],
        "",
    ),
    row(&["cdist"], &["x1", "x2"], &["p"], &["distances({x1}, {x2})"], ""),
    row(
        &["matmul", "mm", "bmm"],
        &["input", "other"],
        &[],
        &["?Vectors similarities({input}, {other})", "?Homography {input} * {other}", "?Map dot({input}, {other})"],
        "of two lists of vectors it is  similarities(a, b):  every one with every one",
    ),
    row(
        &["einsum", "tensordot"],
        &["equation", "a", "b"],
        &[],
        &[],
        "axes have names: every vector with every one is  similarities(a, b),  place by place it is  dot(a, b),\n\
         and a sum along an axis is  sum(a * b, over = channel)",
    ),
    row(
        &["gridsample", "warpperspective", "remap"],
        &["input", "grid"],
        &["mode", "padding_mode", "align_corners"],
        &["?moves warp({input}, {grid})", "?places sample({input}, {grid})"],
        "a map is moved by a homography with  warp(x, by),  and read at places with  sample(x, points)",
    ),
    // losses
    row(
        &["bceloss", "binarycrossentropy"],
        PAIR,
        &["weight", "reduction"],
        &["bce({target}, {input}[, mask = {weight}][, reduce = {reduction}])"],
        "the truth comes first",
    ),
    row(
        &["bcewithlogitsloss", "binarycrossentropywithlogits", "bcewithlogits", "sigmoidbinarycrossentropy"],
        PAIR,
        &["weight", "reduction"],
        &["bce_logits({target}, {input}[, mask = {weight}][, reduce = {reduction}])"],
        "the truth comes first",
    ),
    row(
        &["mseloss", "l2loss"],
        PAIR,
        &["reduction"],
        &["mse({target}, {input}[, reduce = {reduction}])"],
        "the target comes first",
    ),
    row(&["l1loss", "mae"], PAIR, &[], &["l1({target}, {input})"], "the target comes first"),
    row(
        &["smoothl1loss"],
        PAIR,
        &["reduction", "beta"],
        &["smoothl1({target}, {input}[, beta = {beta}][, reduce = {reduction}])"],
        "the target comes first",
    ),
    row(&["huberloss"], PAIR, &["delta"], &["huber({target}, {input}[, delta = {delta}])"], "the target comes first"),
    row(
        &["nllloss"],
        PAIR,
        &["reduction"],
        &["0 - mean(sum({(target)} * {(input)}, over = channel))"],
        "the truth is a map with a channel for each class",
    ),
    row(
        &["kldiv", "kldivloss", "kldivergence"],
        PAIR,
        &["reduction"],
        &["mean({(target)} * (log({target}) - {(input)}))"],
        "as in PyTorch, the first is a logarithm, and the mean is over all numbers",
    ),
    row(
        &["tripletmarginloss", "tripletloss"],
        &["anchor", "positive", "negative"],
        &["margin", "p"],
        &[
            "?rows mean(hinge(diagonal(distances({anchor}, {positive})) - diagonal(distances({anchor}, {negative})) + {margin|1.0}))",
            "mean(hinge(distance({anchor}, {positive}[, p = {p}]) - distance({anchor}, {negative}[, p = {p}]) + {margin|1.0}))",
        ],
        "with places and negatives of its own it is  triplet(grid(200), hardneg(apart = 8px), margin = 1.0)",
    ),
    row(
        &["cosineembeddingloss"],
        &["input1", "input2", "target"],
        &["margin"],
        &[],
        "of maps it is  mean(1 - cosine(a, b)),  of vectors  distance(l2norm(a), l2norm(b), squared = true)",
    ),
    row(
        &["infonce", "ntxent", "ntxentloss"],
        &["query", "positive_key"],
        &["temperature"],
        &["info_nce({query}, {positive_key}[, {temperature}])"],
        "",
    ),
    // training
    layer(
        &["adam"],
        PARAMS,
        &["params", "lr", "betas", "eps", "weight_decay"],
        &["adam(lr = {lr|1e-3}[, betas = {betas}][, eps = {eps}][, weight_decay = {weight_decay}])"],
        "all weights of the models are trained",
    ),
    layer(
        &["adamw"],
        PARAMS,
        &["params", "lr", "betas", "eps", "weight_decay"],
        &["adamw(lr = {lr|1e-3}[, betas = {betas}][, eps = {eps}][, weight_decay = {weight_decay}])"],
        "all weights of the models are trained",
    ),
    layer(
        &["sgd"],
        PARAMS,
        &["params", "lr", "momentum", "dampening", "weight_decay", "nesterov"],
        &["sgd(lr = {lr|1e-3}[, momentum = {momentum}][, nesterov = {nesterov}][, weight_decay = {weight_decay}])"],
        "all weights of the models are trained",
    ),
    layer(
        &["cosineannealinglr", "cosineannealing", "cosinedecay"],
        PARAMS,
        &["optimizer", "T_max", "eta_min"],
        &["cosine([to = {eta_min}])"],
        "it ends with the run",
    ),
    layer(
        &["steplr"],
        PARAMS,
        &["optimizer", "step_size", "gamma"],
        &["step(every = {step_size}epochs[, factor = {gamma}])"],
        "",
    ),
    layer(
        &["exponentiallr", "exponentialdecay"],
        PARAMS,
        &["optimizer", "gamma"],
        &["step(every = 1epochs, factor = {gamma})"],
        "",
    ),
    layer(
        &["reducelronplateau"],
        PARAMS,
        &["optimizer", "mode", "factor", "patience", "threshold"],
        &["reduce_on_plateau(watch = val.{objective}[, factor = {factor}][, patience = {patience}epochs])"],
        "",
    ),
    layer(
        &["onecyclelr", "onecycle"],
        PARAMS,
        &["optimizer", "max_lr", "total_steps", "epochs", "steps_per_epoch"],
        &["one_cycle()"],
        "it rises to the optimizer's `lr`",
    ),
    layer(
        &["clipgradnorm"],
        PARAMS,
        &["parameters", "max_norm"],
        &["grad_norm({max_norm|1.0})"],
        "it is the field `clip` of `train`",
    ),
    layer(
        &["dataloader"],
        PARAMS,
        &["dataset", "batch_size", "shuffle"],
        &[],
        "the data is an item,  data pairs = layout_pairs(…),  and `batch` a field of `train`",
    ),
];
