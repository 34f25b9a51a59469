//! Places for labels beside points, so that a label covers no other label and no point.

/// Whole drawing units, right and down.
pub(super) type Place = (i32, i32);

/// A rectangle: its upper left corner, its width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub at: Place,
    pub size: (i32, i32),
}

impl Rect {
    /// The square units that two rectangles share.
    fn shared(&self, other: &Self) -> i64 {
        let along = |a: i32, width: i32, b: i32, other: i32| i64::from(((a + width).min(b + other) - a.max(b)).max(0));
        along(self.at.0, self.size.0, other.at.0, other.size.0)
            * along(self.at.1, self.size.1, other.at.1, other.size.1)
    }

    /// The square units that lie outside of `other`.
    fn outside(&self, other: &Self) -> i64 {
        i64::from(self.size.0) * i64::from(self.size.1) - self.shared(other)
    }
}

/// The place of a label, and whether the label is so far from its point that a line should join them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlacedLabel {
    pub area: Rect,
    pub is_far: bool,
}

/// How far away a label may be placed, in steps of its height.
const RINGS: i32 = 12;

/// Places a label of `sizes[i]` beside `points[i]`, within `bounds`. A point is kept clear `radius` units around.
///
/// Labels are placed in turn: right of the point, left, above, below, then farther and farther away. The first place
/// that covers nothing is taken, else the one that covers the least.
pub(super) fn place(points: &[Place], sizes: &[(i32, i32)], radius: i32, bounds: Rect) -> Vec<PlacedLabel> {
    let mut taken: Vec<Rect> =
        points.iter().map(|&(x, y)| Rect { at: (x - radius, y - radius), size: (2 * radius, 2 * radius) }).collect();
    let mut labels = Vec::with_capacity(points.len());
    for (&point, &size) in points.iter().zip(sizes) {
        let cost = |label: &PlacedLabel| {
            let on_others: i64 = taken.iter().map(|other| label.area.shared(other)).sum();
            // A label on another can be half read; one that is cut off cannot.
            on_others + 4 * label.area.outside(&bounds)
        };
        if let Some(label) = candidates(point, size, radius).min_by_key(cost) {
            taken.push(label.area);
            labels.push(label);
        }
    }
    labels
}

fn candidates(point: Place, size: (i32, i32), radius: i32) -> impl Iterator<Item = PlacedLabel> {
    let ((x, y), (width, height)) = (point, size);
    let gap = radius + radius / 2;
    (0..RINGS).flat_map(move |ring| {
        let away = ring * height;
        let (right, left) = (x + gap, x - gap - width);
        let (middle, centre) = (y - height / 2, x - width / 2);
        let (above, below) = (y - gap - height - away, y + gap + away);
        let near = [(right, middle), (left, middle), (centre, above), (centre, below)];
        let diagonal = [(right, above), (right, below), (left, above), (left, below)];
        let far = [(right + away, middle), (left - away, middle)];
        let places: Vec<Place> =
            if ring == 0 { [&near[..], &diagonal].concat() } else { [&near[2..], &diagonal, &far].concat() };
        places.into_iter().map(move |at| PlacedLabel { area: Rect { at, size }, is_far: ring > 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Rect = Rect { at: (0, 0), size: (1_600, 1_000) };

    fn check(points: &[Place], sizes: &[(i32, i32)]) {
        let labels = place(points, sizes, 20, BOUNDS);
        assert_eq!(labels.len(), points.len());
        for (at, label) in labels.iter().enumerate() {
            assert_eq!(label.area.outside(&BOUNDS), 0, "{label:?} is cut off");
            for other in &labels[at + 1..] {
                assert_eq!(label.area.shared(&other.area), 0, "{label:?} lies on {other:?}");
            }
            for &(x, y) in points {
                let point = Rect { at: (x - 20, y - 20), size: (40, 40) };
                assert_eq!(label.area.shared(&point), 0, "{label:?} lies on a point");
            }
        }
    }

    #[test]
    fn labels_lie_on_nothing_even_where_points_crowd() {
        let crowd: Vec<Place> = (0..10).map(|at| (800 + 7 * at, 500 + (at * at) % 30)).collect();
        check(&crowd, &[(300, 60); 10]);
        // Points in the corners, where only some sides are free.
        check(&[(5, 5), (1_595, 5), (5, 995), (1_595, 995), (800, 995)], &[(400, 60); 5]);
        // All points at one place.
        check(&[(800, 500); 5], &[(200, 60); 5]);
    }

    #[test]
    fn a_point_alone_has_its_label_at_its_right() {
        let labels = place(&[(100, 100)], &[(200, 60)], 20, BOUNDS);
        assert_eq!(labels, [PlacedLabel { area: Rect { at: (130, 70), size: (200, 60) }, is_far: false }]);
    }
}
