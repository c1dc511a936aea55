//! A picture as a PNG file.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::{Anchor, Picture, Rgb, Shape};

const FONT: (FontWeight, RasterHeight) = (FontWeight::Regular, RasterHeight::Size16);

/// The picture as a PNG file.
pub fn write(picture: &Picture) -> Result<Vec<u8>, String> {
    let mut canvas = Canvas::new(picture);
    for shape in &picture.shapes {
        canvas.draw(shape);
    }
    let failed = |error: png::EncodingError| format!("the picture cannot be written: {error}");
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&canvas.pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(file)
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(picture: &Picture) -> Self {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let (red, green, blue) = picture.background;
        Self { width, height, pixels: [red, green, blue].repeat(width * height) }
    }

    /// Blends a colour over a pixel with this opacity.
    fn blend(&mut self, x: i64, y: i64, (red, green, blue): Rgb, share: f64) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y * self.width + x) * 3;
        for (pixel, colour) in self.pixels[at..at + 3].iter_mut().zip([red, green, blue]) {
            let mixed = f64::from(*pixel) * (1.0 - share) + f64::from(colour) * share;
            *pixel = mixed.round().clamp(0.0, 255.0) as u8;
        }
    }

    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Line { points, colour, width, opacity } => {
                for ends in points.windows(2) {
                    self.segment(ends[0], ends[1], *width, *colour, *opacity);
                }
                if let [only] = points[..] {
                    self.segment(only, only, *width, *colour, *opacity);
                }
            }
            Shape::Text { x, y, anchor, colour, text } => self.text((*x, *y), *anchor, *colour, text),
        }
    }

    /// An antialiased line: each pixel by its coverage.
    fn segment(&mut self, a: (f64, f64), b: (f64, f64), width: f64, colour: Rgb, opacity: f64) {
        let reach = width / 2.0 + 1.0;
        // No pixel outside the picture is touched, whatever the coordinates.
        let clip = |value: f64, most: usize| value.clamp(-1.0, most as f64);
        let (left, right) = (clip(a.0.min(b.0) - reach, self.width), clip(a.0.max(b.0) + reach, self.width));
        let (top, bottom) = (clip(a.1.min(b.1) - reach, self.height), clip(a.1.max(b.1) + reach, self.height));
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx * dx + dy * dy;
        for y in top.floor() as i64..=bottom.ceil() as i64 {
            for x in left.floor() as i64..=right.ceil() as i64 {
                let (px, py) = (x as f64 - a.0, y as f64 - a.1);
                let along = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (px - along * dx).hypot(py - along * dy);
                let share = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                if share > 0.0 {
                    self.blend(x, y, colour, share * opacity);
                }
            }
        }
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, colour: Rgb, text: &str) {
        let advance = get_raster_width(FONT.0, FONT.1);
        let width = (advance * text.chars().count()) as f64;
        let begin = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let top = y.round() as i64 - (FONT.1.val() * 13 / 16).cast_signed() as i64;
        for (at, character) in text.chars().enumerate() {
            // The font covers ASCII only; other characters become a question mark.
            let glyph = [character, '?'].into_iter().find_map(|character| get_raster(character, FONT.0, FONT.1));
            let Some(glyph) = glyph else { continue };
            let left = begin.round() as i64 + (at * advance).cast_signed() as i64;
            for (row, line) in (top..).zip(glyph.raster()) {
                for (column, intensity) in (left..).zip(line.iter()) {
                    self.blend(column, row, colour, f64::from(*intensity) / 255.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_read_back() {
        let picture = Picture {
            width: 60,
            height: 40,
            background: (255, 255, 255),
            shapes: vec![
                Shape::Line { points: vec![(5.0, 30.0), (50.0, 30.0)], colour: (255, 0, 0), width: 2.0, opacity: 1.0 },
                Shape::Line { points: vec![(55.0, 5.0), (55.0, 20.0)], colour: (0, 0, 255), width: 1.0, opacity: 0.5 },
                Shape::Text { x: 2.0, y: 16.0, anchor: Anchor::Start, colour: (0, 0, 0), text: "Aé".into() },
                Shape::Line { points: vec![(-1e12, 1e12), (1e12, -1e12)], colour: (0, 0, 0), width: 1.0, opacity: 0.0 },
            ],
        };
        let file = write(&picture).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height, info.color_type), (60, 40, png::ColorType::Rgb));
        let at = |x: usize, y: usize| &pixels[(y * 60 + x) * 3..][..3];
        assert_eq!((at(20, 30), at(20, 35)), (&[255, 0, 0][..], &[255, 255, 255][..]));
        assert!(at(55, 10)[0] < 140 && at(55, 10)[2] == 255);
        assert!((2..20).any(|x| (4..17).any(|y| at(x, y)[0] < 128)), "the letter is seen");
    }
}
