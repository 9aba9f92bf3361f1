//! How the terms of a run were: curves of each, and what went wrong without an error.

use std::fmt::Write;

use rord_record::progress::short;

use super::super::chart::{Chart, Points, Series};
use super::super::curves::{Curves, Piece};
use super::super::html::escaped;

/// Curves of each term by epoch, up to the last and with the best marked, and the findings.
pub fn health(curves: &Curves, until: f64, best: Option<f64>) -> String {
    let mut out = String::from("<h2 id=\"health\">Health</h2>\n");
    let found = &curves.found;
    for one in found {
        _ = writeln!(out, "<div class=\"finding\">{}<span>epoch {}</span></div>", escaped(&one.text), one.epoch);
    }
    if found.is_empty() {
        out += "<p class=\"lead\">Nothing was found that goes wrong without an error: gradients, detectors, descriptors, triplets and \
                pictures were looked at in every epoch.</p>\n";
    }
    let charts: String =
        terms(curves).iter().flat_map(|term| charts(curves, term, until, best)).map(|chart| chart.html()).collect();
    if !charts.is_empty() {
        _ = writeln!(out, "<div class=\"charts\">{charts}</div>");
    }
    out
}

/// The terms that have figures, in the order of their names.
fn terms(curves: &Curves) -> Vec<&str> {
    let mut terms: Vec<&str> = curves.figures.iter().filter_map(|(name, _)| Some(name.rsplit_once('.')?.0)).collect();
    terms.sort_unstable();
    terms.dedup();
    terms
}

/// The pictures of a term.
fn charts(curves: &Curves, term: &str, until: f64, best: Option<f64>) -> Vec<Chart> {
    let of = |figure: &str| curves.figure(&format!("{term}.{figure}"));
    let chart = |what: &str, about: String, series: Vec<Series>| Chart {
        name: format!("{term}: {what}"),
        about,
        series,
        until,
        best,
    };
    let series = |name: &str, class: &str, points: &[[f64; 2]]| Series {
        name: name.into(),
        class: class.into(),
        points: Points::Epochs(points.to_vec()),
    };
    let mut all = Vec::new();
    if let Some([_, last]) = of("active").last() {
        let about = format!("{:.1} % in the last epoch", 100.0 * last);
        all.push(chart("share that misses its margin", about, vec![series("", "t", of("active"))]));
    }
    for (what, [lowered, raised]) in
        [("distances to", ["positives", "negatives"]), ("means of what is", ["lowered", "raised"])]
    {
        let lines = [(lowered, "t"), (raised, "v")].into_iter().filter(|(figure, _)| !of(figure).is_empty());
        let lines: Vec<Series> =
            lines.map(|(figure, class)| series(figure.trim_end_matches('s'), class, of(figure))).collect();
        if let Some(first) = lines.first() {
            let what = if lines.len() == 1 {
                format!("{what} {}", first.name)
            } else {
                format!("{what} {lowered} and {raised}")
            };
            all.push(chart(&what, String::new(), lines));
        }
    }
    let spread = of("spread");
    match (of("mean").last(), spread.last()) {
        (Some([_, mean]), Some([_, last])) => {
            let pieces =
                of("mean").iter().zip(spread).map(|([epoch, mean], [_, spread])| Piece::around(*epoch, *mean, *spread));
            let line = Series { name: String::new(), class: "t".into(), points: Points::Around(pieces.collect()) };
            all.push(chart("probability, mean ± spread", format!("{} ± {}", short(*mean), short(*last)), vec![line]));
        }
        (_, Some([_, last])) => {
            let what = "share that differs from place to place";
            all.push(chart(what, format!("{:.1} % in the last epoch", 100.0 * last), vec![series("", "t", spread)]));
        }
        _ => {}
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn each_term_has_its_pictures() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("metrics.jsonl");
        let line = |epoch: u32, x: f64| {
            format!(
                r#"{{"split":"figures","epoch":{epoch},"loss.active":{x},"loss.positives":{x},"loss.negatives":1,"gap.raised":2,"net.det.mean":0.5,"net.det.spread":{x},"net.desc.spread":{x}}}"#
            )
        };
        std::fs::write(&path, format!("{}\n{}\n", line(1, 0.5), line(2, 0.25))).unwrap();
        let curves = Curves::read(&path);
        assert_eq!(terms(&curves), ["gap", "loss", "net.desc", "net.det"]);
        let page = health(&curves, 2.0, Some(1.0));
        for name in [
            "gap: means of what is raised",
            "loss: share that misses its margin",
            "loss: distances to positives and negatives",
            "net.desc: share that differs from place to place",
            "net.det: probability, mean ± spread",
        ] {
            assert_eq!(page.matches(&format!("<b>{name}</b>")).count(), 1, "{name}: {page}");
        }
        // The picture of a map reaches as far as its numbers spread.
        assert!(page.contains("0.500 ± 0.250") && page.contains("[[1.0,0.5,0.0,1.0],[2.0,0.5,0.25,0.75]]"), "{page}");
    }
}
