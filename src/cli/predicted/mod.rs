//! What a network made of a picture, in every form that it is written in.

mod npz;
mod out;

use candle_core::{Device, Tensor};

use rord_engine::stored;
use rord_lang::types::Kind;
use rord_matching::features::Features;
use rord_search::maps::Pixels;
use rord_search::outputs::Output;
use rord_search::view;
use serde_json::{Map, Value, json};

use super::using::Shown;
use out::Form;
pub use out::{Out, object};

/// What a network made of a picture.
pub struct Predicted {
    /// What the picture is called.
    pub name: String,
    /// Its width and height.
    pub size: [usize; 2],
    /// What came.
    pub what: What,
    /// Milliseconds that it took.
    pub ms: u64,
    /// Places of the key points in µm, of a layout.
    pub um: Option<Vec<[f64; 2]>>,
    /// Of each map its least number, the mean, and the greatest.
    ranges: Vec<[f64; 3]>,
}

/// What came of a picture.
pub enum What {
    /// Key points with descriptors; those have no numbers where the network makes none.
    Points(Features),
    /// The exports as they are.
    Maps(Vec<Output>),
}

/// Numbers with a name and sizes.
pub struct Array {
    /// The name.
    pub name: String,
    /// The sizes.
    pub shape: Vec<usize>,
    /// The numbers, the last axis fastest.
    pub values: Vec<f32>,
}

impl Predicted {
    /// Of a picture that was read.
    pub fn new(shown: &Shown, what: What, ms: u64) -> Self {
        let um = match (&what, shown.to_um()) {
            (What::Points(found), Some(to_um)) => {
                Some(found.points.places.iter().map(|place| to_um.apply(*place)).collect())
            }
            _ => None,
        };
        let ranges = match &what {
            What::Points(_) => Vec::new(),
            What::Maps(all) => all.iter().map(|o| range(&o.values)).collect(),
        };
        Self { name: shown.name.clone(), size: [shown.picture.width, shown.picture.height], what, ms, um, ranges }
    }

    /// Without what a list of pictures does not show: descriptors, and the numbers of maps but for their range.
    pub fn let_go(&mut self) {
        match &mut self.what {
            What::Points(found) => found.descriptors = Vec::new(),
            What::Maps(all) => all.iter_mut().for_each(|map| map.values = Vec::new()),
        }
    }

    /// All numbers.
    fn arrays(&self) -> Vec<Array> {
        let found = match &self.what {
            What::Maps(all) => {
                let array =
                    |o: &Output| Array { name: o.name.clone(), shape: o.shape.clone(), values: o.values.clone() };
                return all.iter().map(array).collect();
            }
            What::Points(found) => found,
        };
        let n = found.len();
        let flat = |places: &[[f64; 2]]| places.iter().flatten().map(|x| *x as f32).collect::<Vec<f32>>();
        let array = |name: &str, shape: Vec<usize>, values: Vec<f32>| Array { name: name.into(), shape, values };
        let mut all = vec![
            array("keypoints", vec![n, 2], flat(&found.points.places)),
            array("scores", vec![n], found.points.scores.clone()),
        ];
        if found.channels > 0 {
            all.push(array("descriptors", vec![n, found.channels], found.descriptors.clone()));
        }
        if let Some(um) = &self.um {
            all.push(array("keypoints_um", vec![n, 2], flat(um)));
        }
        all
    }

    /// A line for people.
    pub fn line(&self) -> String {
        let [width, height] = self.size;
        let what = match &self.what {
            What::Points(found) => {
                let scores = &found.points.scores;
                let range = match (scores.last(), scores.first()) {
                    (Some(low), Some(high)) => format!(", scores {low:.3} to {high:.3}"),
                    _ => String::new(),
                };
                let numbers = match found.channels {
                    0 => String::new(),
                    n => format!(", descriptors of {n} numbers"),
                };
                format!("{} key points{range}{numbers}", found.len())
            }
            What::Maps(all) => {
                let one = |(o, [low, mean, high]): (&Output, &[f64; 3])| {
                    format!("{}: {} {:?}, {low:.3} to {high:.3}, mean {mean:.3}", o.name, o.kind.name(), o.shape)
                };
                all.iter().zip(&self.ranges).map(one).collect::<Vec<_>>().join("; ")
            }
        };
        format!("{}  {width} × {height} px  {what}\n", self.name)
    }

    /// One object for programs.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("in".into(), self.name.clone().into());
        object.insert("size_px".into(), json!(self.size));
        object.insert("ms".into(), self.ms.into());
        match &self.what {
            What::Points(found) => {
                object.insert("keypoints".into(), json!(found.points.places));
                object.insert("scores".into(), json!(found.points.scores));
                object.insert("descriptor".into(), found.channels.into());
                if let Some(um) = &self.um {
                    object.insert("keypoints_um".into(), json!(um));
                }
            }
            What::Maps(all) => {
                let one = |(o, [least, mean, greatest]): (&Output, &[f64; 3])| {
                    let of = json!({
                        "kind": o.kind.name(), "shape": o.shape, "least": least, "mean": mean, "greatest": greatest,
                    });
                    (o.name.clone(), of)
                };
                object.insert("maps".into(), Value::Object(all.iter().zip(&self.ranges).map(one).collect()));
            }
        }
        Value::Object(object)
    }

    /// A key point a line: `picture,x,y,score`, and `x_um,y_um` of layouts. `None` of maps.
    fn csv(&self, um: bool) -> Option<String> {
        let What::Points(found) = &self.what else { return None };
        let name = match self.name.contains(['"', ',', '\n', '\r']) {
            true => format!("\"{}\"", self.name.replace('"', "\"\"")),
            false => self.name.clone(),
        };
        let mut text = String::new();
        for (index, ([x, y], score)) in found.points.places.iter().zip(&found.points.scores).enumerate() {
            text += &format!("{name},{x:.3},{y:.3},{score}");
            if um {
                let place = self.um.as_ref().and_then(|all| all.get(index));
                text += &place.map_or(",,".into(), |[x, y]| format!(",{x:.5},{y:.5}"));
            }
            text.push('\n');
        }
        Some(text)
    }

    /// A picture: the picture with its key points, or the first map.
    fn png(&self, pixels: &dyn Pixels) -> Result<Vec<u8>, String> {
        let all = match &self.what {
            What::Points(found) => return view::key_points(pixels, &found.points),
            What::Maps(all) => all,
        };
        let map = all.iter().find_map(|o| <[usize; 3]>::try_from(o.shape.clone()).ok().map(|shape| (o, shape)));
        let (output, shape) = map.ok_or("nothing that is exported is a map, and only maps are drawn")?;
        let [channels, ..] = shape;
        let grey: Vec<f32> = match output.kind {
            _ if channels > 1 => return view::map(&output.values, shape),
            Kind::Logit => output.values.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect(),
            kind if kind.is(Kind::Prob) || matches!(kind, Kind::Label | Kind::Image) => output.values.clone(),
            // From its least number to its greatest.
            _ => {
                let [low, _, high] = range(&output.values);
                let span = if high > low { high - low } else { 1.0 };
                output.values.iter().map(|x| (f64::from(*x) - low) as f32 / span as f32).collect()
            }
        };
        view::map(&grey, shape)
    }

    /// The bytes of a file of this form.
    fn bytes(&self, form: Form, pixels: &dyn Pixels) -> Result<Vec<u8>, String> {
        match form {
            Form::Npz => npz::bytes(&self.arrays()),
            Form::Png => self.png(pixels),
            Form::Safetensors => {
                let tensor = |a: Array| Ok((a.name, Tensor::from_vec(a.values, a.shape, &Device::Cpu)?));
                let all: candle_core::Result<Vec<(String, Tensor)>> = self.arrays().into_iter().map(tensor).collect();
                all.and_then(|all| stored::bytes(&all, None)).map_err(|e| e.to_string())
            }
            Form::Csv | Form::Json => Err("several pictures fit into it".into()),
        }
    }
}

/// The least number, the mean and the greatest; what is no number is passed over.
fn range(values: &[f32]) -> [f64; 3] {
    let (mut low, mut high, mut sum, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0u64);
    for x in values.iter().map(|x| f64::from(*x)).filter(|x| x.is_finite()) {
        (low, high, sum, count) = (low.min(x), high.max(x), sum + x, count + 1);
    }
    if count == 0 { [f64::NAN; 3] } else { [low, sum / count as f64, high] }
}
