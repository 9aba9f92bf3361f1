//! Pictures of layouts and of files as a search reads them.

use rord_data::patch::{Cut, Rect, Region};
use rord_data::picture::Picture;
use rord_data::render::Look;

use crate::maps::Pixels;

/// A picture as it is drawn by default: one channel of grey, or its layers as channels.
pub struct Drawn<'a> {
    picture: &'a Picture,
    channels: usize,
    look: Option<Look>,
}

impl<'a> Drawn<'a> {
    /// A picture in so many channels: 1 is grey, more are its layers.
    pub fn new(picture: &'a Picture, channels: usize) -> Self {
        Self { picture, channels, look: None }
    }

    /// The same drawn by another look.
    pub fn by(self, look: Look) -> Self {
        Self { look: Some(look), ..self }
    }
}

impl Pixels for Drawn<'_> {
    fn size(&self) -> [usize; 2] {
        [self.picture.width, self.picture.height]
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn read(&self, window: Rect) -> Result<Vec<f32>, String> {
        let cut = Cut::new(self.picture, Region::whole(self.picture), window);
        let planes = Look::views(self.look.clone(), self.picture, &cut, 1.0, (self.channels, None));
        match self.picture.trouble() {
            Some(error) => Err(error.to_string()),
            None => Ok(planes.into_iter().flat_map(|plane| plane.values).collect()),
        }
    }
}

/// Values that are at hand: `height` rows of `width` for each channel.
pub struct Held {
    /// All numbers, channel by channel.
    pub values: Vec<f32>,
    /// Channels.
    pub channels: usize,
    /// Width and height.
    pub size: [usize; 2],
}

impl Pixels for Held {
    fn size(&self) -> [usize; 2] {
        self.size
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn read(&self, window: Rect) -> Result<Vec<f32>, String> {
        let [width, height] = self.size;
        if width == 0 || height == 0 {
            return Err("an empty picture".into());
        }
        let clamp = |at: i64, side: usize| at.clamp(0, side as i64 - 1) as usize;
        let mut out = Vec::with_capacity(self.channels * window.width * window.height);
        for plane in self.values.chunks_exact(width * height).take(self.channels) {
            for row in 0..window.height {
                let from = clamp(window.y + row as i64, height) * width;
                let line = plane.get(from..from + width).unwrap_or_default();
                let at = |column: usize| clamp(window.x + column as i64, width);
                out.extend((0..window.width).map(|column| line.get(at(column)).copied().unwrap_or_default()));
            }
        }
        Ok(out)
    }
}
