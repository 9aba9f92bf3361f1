//! What things are called elsewhere, PyTorch above all: `nn.Conv2d` is `conv`.

/// A name elsewhere, in lower case without underscores, and the name here.
pub const NAMES: [(&str, &str); 77] = [
    ("none", "none"),
    ("null", "none"),
    ("nil", "none"),
    ("true", "true"),
    ("false", "false"),
    ("conv2d", "conv"),
    ("convolution", "conv"),
    ("batchnorm2d", "batch_norm"),
    ("bn", "batch_norm"),
    ("instancenorm2d", "instance_norm"),
    ("groupnorm", "group_norm"),
    ("layernorm", "layer_norm"),
    ("convtranspose2d", "conv_transpose"),
    ("deconv", "conv_transpose"),
    ("dense", "linear"),
    ("leakyrelu", "leaky_relu"),
    ("lrelu", "leaky_relu"),
    ("swish", "silu"),
    ("adaptiveavgpool2d", "global_pool"),
    ("globalavgpool", "global_pool"),
    ("globalaveragepool", "global_pool"),
    ("maxpool2d", "max_pool"),
    ("avgpool2d", "avg_pool"),
    ("averagepool", "avg_pool"),
    ("dropout2d", "dropout"),
    ("interpolate", "upsample"),
    ("cat", "concat"),
    ("concatenate", "concat"),
    ("gridsample", "warp"),
    ("remap", "warp"),
    ("warpperspective", "warp"),
    ("inverse", "inv"),
    ("invert", "inv"),
    ("normalize", "l2norm"),
    ("bceloss", "bce"),
    ("binarycrossentropy", "bce"),
    ("crossentropy", "bce"),
    ("bcewithlogitsloss", "bce_logits"),
    ("binarycrossentropywithlogits", "bce_logits"),
    ("bcewithlogits", "bce_logits"),
    ("mseloss", "mse"),
    ("l2loss", "mse"),
    ("l1loss", "l1"),
    ("mae", "l1"),
    ("smoothl1loss", "smoothl1"),
    ("huberloss", "huber"),
    ("tripletmarginloss", "triplet"),
    ("tripletloss", "triplet"),
    ("cosinesimilarity", "cosine"),
    ("cdist", "distances"),
    ("matmul", "product"),
    ("mm", "product"),
    ("bmm", "product"),
    ("einsum", "product"),
    ("var", "variance"),
    ("amax", "max"),
    ("amin", "min"),
    ("pixelunshuffle", "space_to_channel"),
    ("pixelshuffle", "channel_to_space"),
    ("linspace", "levels"),
    ("eye", "identity"),
    ("gather", "take"),
    ("indexselect", "take"),
    ("takealongdim", "take"),
    ("infonce", "info_nce"),
    ("ntxent", "info_nce"),
    ("pow", "square"),
    ("logsumexp", "log_sum_exp"),
    ("nograd", "detach"),
    ("stopgradient", "detach"),
    ("reducelronplateau", "reduce_on_plateau"),
    ("cosineannealinglr", "cosine"),
    ("steplr", "step"),
    ("clipgradnorm", "grad_norm"),
    ("clipgradvalue", "grad_value"),
    ("earlystopping", "after"),
    ("onecyclelr", "one_cycle"),
];

/// What is called `name` elsewhere, with or without the module in front.
pub fn here(name: &str) -> Option<&'static str> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let plain = last.replace('_', "").to_lowercase();
    NAMES.iter().find(|(elsewhere, _)| *elsewhere == plain).map(|(_, here)| *here).filter(|here| *here != last)
}

/// A type of another language, as a kind.
pub fn kind(name: &str) -> Option<&'static str> {
    Some(match name.to_lowercase().as_str() {
        "bool" | "boolean" => "Flag",
        "int" | "integer" | "usize" | "long" => "Count",
        "float" | "double" | "number" | "f32" | "f64" => "Scalar",
        "str" | "string" => "Text",
        "tensor" => "Map",
        "probability" => "Prob",
        _ => return None,
    })
}

/// An argument of another library, as it is called here.
pub fn argument(name: &str) -> Option<&'static str> {
    Some(match name {
        "learning_rate" | "eta" | "rate" => "lr",
        "padding" => "pad",
        "kernel_size" | "filter_size" => "kernel",
        "out_channels" | "filters" | "channels" => "width",
        "reduction" => "reduce",
        "scale_factor" => "by",
        "negative_slope" => "slope",
        "output_padding" => "output_pad",
        "count_include_pad" => "count_pad",
        "approximate" => "form",
        "max_norm" => "max",
        "T_max" | "total_iters" => "over",
        "weight" => "mask",
        "dim" | "axis" | "dims" | "axes" => "over",
        _ => return None,
    })
}

/// Where what others set in a section is written here.
pub fn field(section: &str, name: &str) -> Option<&'static str> {
    Some(match (section, name) {
        ("train", "objective" | "loss" | "losses" | "criterion") => {
            "what is learned is a statement:  minimize total = …"
        }
        ("train", "metrics" | "metric") => "a metric is a statement:  metric name = …",
        ("train", "lr" | "learning_rate" | "weight_decay" | "momentum" | "betas") => {
            "it is the optimizer's:  optimizer = adam(lr = 1e-3)"
        }
        ("train", "scheduler" | "lr_scheduler" | "warmup" | "decay") => {
            "rates follow the schedule:  schedule = cosine(warmup = 50steps)"
        }
        ("train", "patience" | "early_stopping") => "a run ends early by  stop = after(10epochs, without = val.total)",
        ("train", "amp" | "dtype" | "fp16" | "bf16" | "mixed_precision") => "products are rounded by  precision = bf16",
        ("train", "device" | "gpu" | "cuda") => "the device is the command's:  --device cuda",
        ("train", "threads" | "workers" | "num_workers") => "threads are the command's:  --threads 2",
        ("train", "checkpoint" | "save" | "save_every" | "out" | "output" | "output_dir") => {
            "what is kept stands in  save { best = val.total, last = true },  and where is the command's:  --out DIR"
        }
        ("train", "steps" | "steps_per_epoch" | "iterations" | "shuffle" | "dataset" | "data") => {
            "steps and order are the data's:  data pairs = layout_pairs(…, steps = 100)"
        }
        ("save", "monitor" | "metric" | "watch") => "it is part of  best = min(val.total)",
        ("save", "save_every" | "checkpoint" | "checkpoints") => "a state is saved by  state = every(5min)",
        ("save", "dir" | "path" | "folder" | "out" | "output_dir") => "the folder is the command's:  --out DIR",
        _ => return None,
    })
}

/// What a parameter of a run is called elsewhere, and what it may be called here.
pub fn parameter(name: &str) -> Option<&'static [&'static str]> {
    const SAME: [&[&str]; 6] = [
        &["lr", "learning_rate", "rate", "eta", "base_lr"],
        &["batch", "batch_size", "bs", "n_batch"],
        &["epochs", "num_epochs", "n_epochs", "max_epochs"],
        &["seed", "random_seed", "random_state", "manual_seed"],
        &["steps", "steps_per_epoch", "iterations", "iters"],
        &["layouts", "data", "dataset", "data_dir", "data_root", "root"],
    ];
    SAME.into_iter().find(|names| names.contains(&name))
}

/// A letter as it looks: Cyrillic and Greek letters as the Latin ones that are drawn alike.
fn as_drawn(c: char) -> char {
    const ALIKE: [(char, char); 30] = [
        ('а', 'a'),
        ('е', 'e'),
        ('о', 'o'),
        ('р', 'p'),
        ('с', 'c'),
        ('у', 'y'),
        ('х', 'x'),
        ('і', 'i'),
        ('ј', 'j'),
        ('ѕ', 's'),
        ('А', 'A'),
        ('В', 'B'),
        ('Е', 'E'),
        ('К', 'K'),
        ('М', 'M'),
        ('Н', 'H'),
        ('О', 'O'),
        ('Р', 'P'),
        ('С', 'C'),
        ('Т', 'T'),
        ('Х', 'X'),
        ('ο', 'o'),
        ('ν', 'v'),
        ('ι', 'i'),
        ('Α', 'A'),
        ('Β', 'B'),
        ('Ε', 'E'),
        ('Η', 'H'),
        ('Κ', 'K'),
        ('Μ', 'M'),
    ];
    ALIKE.iter().find(|(a, _)| *a == c).map_or(c, |(_, b)| *b)
}

/// The first letter that is another in two names that are drawn alike.
pub fn drawn_alike(a: &str, b: &str) -> Option<(char, char)> {
    let same = a != b && a.chars().count() == b.chars().count();
    let pairs = || a.chars().zip(b.chars());
    (same && pairs().all(|(p, q)| as_drawn(p) == as_drawn(q))).then(|| pairs().find(|(p, q)| p != q)).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pytorch_are_known_with_their_modules() {
        for (name, ours) in [
            ("nn.Conv2d", "conv"),
            ("F.cross_entropy", "bce"),
            ("torch.optim.lr_scheduler.StepLR", "step"),
            ("None", "none"),
        ] {
            assert_eq!(here(name), Some(ours));
        }
        assert_eq!((here("none"), here("flux")), (None, None));
    }

    #[test]
    fn letters_that_are_drawn_alike_are_told_apart() {
        assert_eq!(drawn_alike("dеt", "det"), Some(('е', 'e')));
        assert_eq!((drawn_alike("det", "det"), drawn_alike("det", "dot")), (None, None));
    }
}
