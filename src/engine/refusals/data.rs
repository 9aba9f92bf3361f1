//! The reports for data that cannot be loaded or used.

use rord_data::tensors::Misfit;
use rord_graph::sizes::Impossible;
use rord_lang::report::{Report, runtime};
use rord_lang::source::Span;

use crate::plan::Plan;
use crate::source::SourceError;

/// The reports for a dataset of a run that cannot be loaded or used.
pub fn data_of(plan: &Plan, dataset: usize, error: &SourceError) -> Vec<Report> {
    let (place, fields) = plan.data_places.get(dataset).cloned().unwrap_or_default();
    data(place, &fields, error)
}

/// The reports for data that cannot be loaded or used; `fields` are the places of `field_places`.
pub fn data(place: Span, fields: &[(String, Span)], error: &SourceError) -> Vec<Report> {
    let SourceError::Misfits(misfits) = error else { return vec![data_failure(place, error)] };
    let at = |misfit: &Misfit| {
        let declared = misfit.field().and_then(|f| fields.iter().find(|(n, _)| n == f));
        declared.map_or(place, |(_, span)| *span)
    };
    misfits.iter().map(|misfit| misfit_at(at(misfit), misfit)).collect()
}

/// The report for one way in which a file of tensors does not fit the pipeline.
fn misfit_at(span: Span, misfit: &Misfit) -> Report {
    use Misfit as M;
    let of = misfit.field().unwrap_or_default();
    let (code, title, help) = match misfit.fact() {
        M::Missing { .. } => (
            "R0918",
            format!("the file holds no tensor called `{of}`"),
            "fields are found by their names; rename one of the two",
        ),
        M::Unreadable { .. } => ("R0919", format!("the numbers of `{of}` cannot be read"), "write them as f32"),
        M::Rank { .. } => (
            "R0920",
            format!("`{of}` has other axes in the file"),
            "samples are the first axis; a Homography adds (3, 3), Points add their two coordinates",
        ),
        M::Size { .. } | M::Rest { .. } => (
            "R0921",
            format!("`{of}` has another size in the file"),
            "a name stands for one size everywhere; give it another name, or write the number",
        ),
        M::Samples { .. } => (
            "R0922",
            format!("`{of}` has another number of samples"),
            "sample i is the i-th of every tensor, so all have as many",
        ),
        M::NotFinite { .. } => {
            ("R0923", format!("`{of}` is not finite everywhere"), "leave these samples out, or fix what wrote them")
        }
        M::OutOfRange { .. } => (
            "R0924",
            format!("`{of}` is not what it is declared to be"),
            "declare another kind, or scale the numbers when the file is written",
        ),
        M::ChannelsLast { .. } => (
            "R0920",
            format!("`{of}` has its channels last in the file"),
            "channels come first here:  numpy.transpose(x, (0, 3, 1, 2)), or  x.permute(0, 3, 1, 2) in PyTorch",
        ),
        M::Far { .. } => (
            "R0924",
            format!("`{of}` does not lead from one view to the other"),
            "coordinates are normalized: -1 and 1 are the edges of a view. A matrix P in pixels of n × n views becomes \
             S P S⁻¹ with S = [[2/n, 0, 1/n - 1], [0, 2/n, 1/n - 1], [0, 0, 1]]",
        ),
        M::Singular { .. } => (
            "R0924",
            format!("`{of}` is no homography everywhere"),
            "a homography can be undone; leave these samples out, or fix what wrote them",
        ),
        // The fact itself is never said of a file.
        M::In { .. } => ("R0919", format!("`{of}` cannot be read"), ""),
        M::TooFew { split, .. } => (
            "R0925",
            format!("there are fewer samples for {split} than a batch takes"),
            "lower `batch`, change the share for training, or bring more samples",
        ),
    };
    runtime::data(code, span, &title, &misfit.to_string(), help)
}

/// The reports for sizes that the data has set and that cannot be.
pub fn sizes(impossible: &[Impossible]) -> Vec<Report> {
    let one = |i: &Impossible| {
        let label = match i.value {
            Ok(n) => format!("{} would be {n}", i.dim),
            Err(n) => format!("{} is not a whole number, for {n}", i.dim),
        };
        let help = "bring data of another size, or pool and stride less";
        runtime::data("R0926", i.span, "the data's size does not go through the network", &label, help)
    };
    impossible.iter().take(1).map(one).collect()
}

/// The report for data that cannot be loaded.
fn data_failure(place: Span, error: &SourceError) -> Report {
    use rord_data::DataError as D;
    let facts = error.to_string();
    if let SourceError::Flat { .. } = error {
        let help = "look at them with `rord-run data FILE --png sheet.png`; a layer may hide the others, or the zoom be far off";
        return runtime::data("R0907", place, "there is nothing to see in the data", &facts, help);
    }
    let SourceError::Data(error) = error else {
        return runtime::data(
            "R0909",
            place,
            "this data cannot be made",
            &facts,
            "this is a mistake of rord; please report it",
        );
    };
    let (code, title, help) = match error {
        D::NotFound { .. } => (
            "R0904",
            "the data is not there",
            "paths start in the folder in which rord-run is started; without files, synth(tiles = 24) draws layouts",
        ),
        D::EmptyFolder { .. } | D::NoMatch { .. } => {
            ("R0905", "there is no data in this place", "check the folder and the ending of the files")
        }
        D::BadPattern { .. } => ("R0905", "this is not a pattern", "as in \"tiles/*.gds.gz\""),
        D::NoPolygons { .. } | D::NoSuchLayer { .. } => {
            ("R0907", "there is nothing to draw", "choose among the layers that are there:  layers = [\"68/20\", …]")
        }
        D::PictureTooSmall { .. } => {
            ("R0907", "a layout is too small for the patches", "use a smaller patch or zoom, or a higher resolution")
        }
        D::NothingToTrainOn { .. } => {
            ("R0907", "the data cannot be split", "add layouts, or change the share for training:  train = 0.8")
        }
        D::BadSetting { .. } | D::BadResolution { .. } => ("R0908", "a setting of the data is out of range", ""),
        D::NoSuchCell { .. } => {
            ("R0907", "there is no such cell", "leave `top` out to draw the cells that no other places")
        }
        D::Unfit { .. } => ("R0906", "files of the data cannot be used", error.advice()),
        D::NoPlace { .. } => ("R0907", "drawn layouts can be written nowhere", error.advice()),
        D::BadLayers { .. } | D::BadNames { .. } => {
            ("R0908", "the layers cannot be read", "as in  layers = [\"66/20\", \"68/*\", \"-236/*\"]")
        }
        D::BadWindow { .. } => ("R0908", "this is no window", "left, lower, right and upper end in µm"),
        D::PictureTooLarge { .. } | D::FileTooLarge { .. } => {
            ("R0907", "the data is too large", "lower the resolution, or draw fewer layers")
        }
        D::Unreadable { .. } => ("R0904", "the data cannot be read", "check the file's permissions"),
        D::Unsupported { .. } => ("R0904", "a file of the data is of a kind that is not read", ""),
        D::Channels { .. } => ("R0907", "the data has other channels than the dataset", ""),
        D::NoCorners { .. } => ("R0907", "this data has no corners", ""),
        D::BadList { .. } => ("R0906", "a list of pairs is broken", "a line is  a.png, b.png, h11, …, h33"),
        D::NoPartner { .. } | D::SameName { .. } => {
            ("R0907", "these pictures do not go in pairs", "each picture needs one of its name in the other folder")
        }
        D::BothSides { .. } | D::OneGroup { .. } => ("R0907", "the data cannot be split", ""),
        _ => ("R0906", "a file of the data is broken", "fetch or export it again, or leave it out of the pattern"),
    };
    runtime::data(code, place, title, &facts, error.help().as_deref().unwrap_or(help))
}
