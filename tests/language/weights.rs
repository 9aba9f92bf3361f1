//! Weights: their sizes and first values do not depend on whether a size is written as a number or as a name.

use rord_lang::check::{NoImports, Outside, check};
use rord_lang::source::SourceKind;
use rord_lang::typed::Initial;
use rord_ops as ops;

/// Every weight of a network of this body, whose channels are written so, with its shape and its first values.
fn weights(channels: &str, body: &str) -> Vec<(Vec<usize>, Initial)> {
    let text = format!(
        "param colors: Count = 6\ndata d = tensors(\"a.safetensors\") -> {{ x: Feat[B, 6, 16, 16]@a }}\n\
         model net(x: Feat[B, {channels}, H, W]@f) {{ out y = {body} }}\nlet {{ y }} = net(d.x)\n"
    );
    let (vocabulary, mut sources) = ops::vocabulary();
    let file = sources.add(SourceKind::Main, "test.rord", text);
    let (pipeline, reports) = check(&mut sources, file, &vocabulary, &NoImports, &Outside::default());
    assert!(reports.is_empty(), "{channels}, {body}: {reports:?}");
    pipeline.weights.iter().map(|w| (w.shape.clone(), w.initial)).collect()
}

#[test]
fn a_size_with_a_name_begins_as_the_number_does() {
    for body in [
        "x |> conv(8, 3)",
        "x |> conv(12, 3, groups = 3)",
        "x |> conv(8, 3, symmetry = d4) |> invariant",
        "x |> conv_transpose(8, 2, stride = 2)",
        "x |> global_pool |> linear(4)",
        "x |> group_norm(groups = 3) |> conv(4, 1)",
    ] {
        let number = weights("6", body);
        assert_eq!(weights("C", body), number, "{body}");
        assert!(number.iter().all(|(_, initial)| *initial != Initial::FanIn(0)), "{body}: {number:?}");
    }
}
