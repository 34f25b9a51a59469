//! k-means: groups of near vectors (Lloyd 1982), from starts by k-means++ (Arthur and Vassilvitskii 2007).
//!
//! It is ours because each figure has to be the same on each run and machine, whatever the number of threads: starts
//! come from a seed of ours, sums are made in one order.

use limbeck_data::Monitor;
use limbeck_training::random::Random;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::error::Result;

/// How often k-means starts; the best end counts.
const STARTS: usize = 4;
/// The most rounds of a start.
const ROUNDS: usize = 300;
const SEED: u64 = 0x4c10d;

/// The cluster of each row.
pub(super) struct Clusters {
    pub(super) of_row: Vec<usize>,
    /// The sum of the squared distances to the centres.
    pub(super) inertia: f64,
}

/// The best of [`STARTS`] ends of k-means with `count` clusters, at most as many as there are rows.
///
/// # Errors
/// An interruption.
pub(super) fn k_means(x: ArrayView2<'_, f64>, count: usize, monitor: Monitor<'_>) -> Result<Clusters> {
    let mut best = cluster(x, count, 0, monitor)?;
    for start in 1..STARTS {
        let other = cluster(x, count, start, monitor)?;
        if other.inertia < best.inertia {
            best = other;
        }
    }
    Ok(best)
}

/// Lloyd's rounds from the start of this number, until no row changes its cluster.
fn cluster(x: ArrayView2<'_, f64>, count: usize, start: usize, monitor: Monitor<'_>) -> Result<Clusters> {
    let squares = squares_of(x);
    let mut random = Random::new(SEED, &[start as u64]);
    let mut centres = first_centres(x, &squares, count, &mut random);
    let (mut of_row, mut distances) = nearest_centres(x, &squares, &centres);
    for _ in 0..ROUNDS {
        monitor.check()?;
        centres = means(x, &mut of_row, &mut distances, count);
        let (next, next_distances) = nearest_centres(x, &squares, &centres);
        let settled = next == of_row;
        (of_row, distances) = (next, next_distances);
        if settled {
            break;
        }
    }
    Ok(Clusters { of_row, inertia: distances.sum() })
}

/// Rows chosen as centres, each with a chance in proportion to its squared distance from those before; of a few drawn,
/// the one that leaves the least distance is taken.
fn first_centres(x: ArrayView2<'_, f64>, squares: &Array1<f64>, count: usize, random: &mut Random) -> Array2<f64> {
    let candidates = 2 + (count as f64).ln() as usize;
    let mut centres = Array2::zeros((count, x.ncols()));
    let first = random.below(x.nrows());
    centres.row_mut(0).assign(&x.row(first));
    let mut distances = distances_to(x, squares, first);
    for place in 1..count {
        let (mut best, mut left) = (None, f64::INFINITY);
        for _ in 0..candidates {
            let row = drawn(&distances, random.uniform());
            let shorter =
                ndarray::Zip::from(&distances).and(&distances_to(x, squares, row)).map_collect(|a, b| a.min(*b));
            if shorter.sum() < left {
                left = shorter.sum();
                best = Some((row, shorter));
            }
        }
        if let Some((row, shorter)) = best {
            centres.row_mut(place).assign(&x.row(row));
            distances = shorter;
        }
    }
    centres
}

/// The row that a uniform number draws, by these weights.
fn drawn(weights: &Array1<f64>, uniform: f64) -> usize {
    let mut left = uniform * weights.sum();
    let found = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    found.unwrap_or(weights.len() - 1)
}

fn squares_of(x: ArrayView2<'_, f64>) -> Array1<f64> {
    x.rows().into_iter().map(|row| row.dot(&row)).collect()
}

/// The squared distances of all rows to one of them.
fn distances_to(x: ArrayView2<'_, f64>, squares: &Array1<f64>, row: usize) -> Array1<f64> {
    let mut distances = x.dot(&x.row(row));
    distances.zip_mut_with(squares, |product, square| *product = (square + squares[row] - 2.0 * *product).max(0.0));
    distances
}

/// The nearest centre of each row, the first of equal ones, and the squared distance to it.
fn nearest_centres(x: ArrayView2<'_, f64>, squares: &Array1<f64>, centres: &Array2<f64>) -> (Vec<usize>, Array1<f64>) {
    let centre_squares = squares_of(centres.view());
    let products = x.dot(&centres.t());
    let nearest = |row: ArrayView1<'_, f64>| {
        let distances = centre_squares.iter().zip(row).map(|(square, product)| square - 2.0 * product).enumerate();
        distances.fold((0, f64::INFINITY), |best, this| if this.1 < best.1 { this } else { best })
    };
    let (of_row, distances): (Vec<usize>, Vec<f64>) = products.rows().into_iter().map(nearest).unzip();
    let distances = Array1::from(distances) + squares;
    (of_row, distances.mapv_into(|distance| distance.max(0.0)))
}

/// The mean of each cluster. An empty cluster first takes the row that is farthest from its centre.
fn means(x: ArrayView2<'_, f64>, of_row: &mut [usize], distances: &mut Array1<f64>, count: usize) -> Array2<f64> {
    let mut sizes = vec![0usize; count];
    of_row.iter().for_each(|&cluster| sizes[cluster] += 1);
    for empty in 0..count {
        // No cluster is emptied to fill another.
        let movable = (0..of_row.len()).filter(|&row| sizes[of_row[row]] > 1);
        let farthest = movable.max_by(|&a, &b| distances[a].total_cmp(&distances[b]).then(b.cmp(&a)));
        if let Some(row) = farthest.filter(|_| sizes[empty] == 0) {
            sizes[of_row[row]] -= 1;
            (of_row[row], distances[row], sizes[empty]) = (empty, 0.0, 1);
        }
    }
    let mut means = Array2::zeros((count, x.ncols()));
    for (row, &cluster) in x.axis_iter(Axis(0)).zip(of_row.iter()) {
        let mut mean = means.row_mut(cluster);
        mean += &row;
    }
    for (mut mean, &size) in means.rows_mut().into_iter().zip(&sizes) {
        mean /= size.max(1) as f64;
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::test_support::{golden_classes, golden_matrix, silent};

    #[test]
    fn the_inertia_is_about_that_of_scikit_learn() {
        let golden = golden_classes();
        let five = &golden["five"];
        let x = golden_matrix(&five["unit_train"]);
        let found = k_means(x.view(), 5, silent()).unwrap();
        let best = five["inertia"].as_f64().unwrap();
        assert!(found.inertia > best - 1e-6 && found.inertia < 1.02 * best, "{} against {best}", found.inertia);
    }

    #[test]
    fn heaps_that_lie_apart_are_the_clusters() {
        let x = Array2::from_shape_fn((60, 2), |(row, column)| {
            (row % 3) as f64 * [10.0, -7.0][column] + ((row * 7 + column) % 5) as f64 / 10.0
        });
        let found = k_means(x.view(), 3, silent()).unwrap().of_row;
        assert!((0..60).all(|row| (found[row] == found[0]) == (row % 3 == 0)));
        assert!((0..60).all(|row| (found[row] == found[1]) == (row % 3 == 1)));
    }

    #[test]
    fn each_run_ends_in_the_same_clusters() {
        let golden = golden_classes();
        let x = golden_matrix(&golden["five"]["unit_train"]);
        let run = || k_means(x.view(), 7, silent()).unwrap().of_row;
        assert_eq!(run(), run());
    }

    #[test]
    fn an_empty_cluster_takes_the_farthest_row() {
        let x = ndarray::arr2(&[[0.0], [1.0], [9.0]]);
        let (mut of_row, mut distances) = (vec![0, 0, 0], Array1::from(vec![0.0, 1.0, 81.0]));
        let means = means(x.view(), &mut of_row, &mut distances, 2);
        assert_eq!((of_row, means), (vec![0, 0, 1], ndarray::arr2(&[[0.5], [9.0]])));
    }

    #[test]
    fn equal_rows_are_no_trouble() {
        let x = Array2::from_elem((5, 3), 0.5);
        let found = k_means(x.view(), 3, silent()).unwrap();
        assert!(found.of_row.len() == 5 && found.inertia < 1e-12);
    }
}
