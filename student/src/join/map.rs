//! The linear map of a join, and how it is computed.

use limbeck_data::Monitor;
use limbeck_data::cache::{Cache, SHARD_ROWS};
use limbeck_encoder::normalise;
use nalgebra::{DMatrix, DVector, SVD};

use super::Settings;
use super::aligned::AlignedRows;
use crate::directions::{principal_directions, project, scatter};
use crate::error::Result;

/// The moments are those of a sample of at most about so many rows; a shorter text is taken whole.
const SAMPLE: u64 = 1 << 17;

/// A joined vector shorter than this is a rounding error of zero; before scaling none is longer than 1.
const ROUNDING: f64 = 1e-6;

/// From the unit vectors of several teachers, side by side, to one vector: `x ↦ matrix·x − offset`, scaled to length 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JoinMap {
    /// `dimension × total`
    pub(super) matrix: Vec<f32>,
    /// `dimension` values, subtracted after the matrix.
    pub(super) offset: Vec<f32>,
}

impl JoinMap {
    /// Computes the map for these caches.
    ///
    /// Let `z` be a text's unit vectors side by side, `c` their mean times the setting `centre`, and `W` the square
    /// roots of the weights, which sum to 1. Then the dot product of two `W(z - c)` is the weighted mean of the
    /// teachers' (partly centred) cosines, and the first `dimension` principal directions about the origin keep most of
    /// it (Eckart and Young 1936). Where `dimension` is the first teacher's width, a rotation brings the vectors as
    /// near as possible to that teacher's (orthogonal Procrustes, Schönemann 1966); it changes no dot product.
    pub(super) fn find(caches: &[Cache], settings: &Settings, monitor: Monitor) -> Result<Self> {
        settings.check(caches)?;
        let widths: Vec<usize> = caches.iter().map(Cache::dimension).collect();
        let (total, first) = (widths.iter().sum(), widths[0]);
        let RowMoments { count, sums, products } = RowMoments::of(caches, total, monitor)?;

        let centre = &sums * (settings.centre / count);
        let sum: f64 = settings.weights.iter().sum();
        let scales =
            widths.iter().zip(&settings.weights).flat_map(|(&width, weight)| vec![(weight / sum).sqrt(); width]);
        let scales = DMatrix::from_diagonal(&DVector::from_iterator(total, scales));
        // The products of z - c with itself, and with the first teacher's own vectors.
        let with_itself =
            &products - &sums * centre.transpose() - &centre * sums.transpose() + &centre * centre.transpose() * count;
        let with_first = products.columns(0, first) - &centre * sums.rows(0, first).transpose();

        let weighted = &scales * with_itself * &scales;
        // The matrix is symmetric, so its column-major values are also row-major.
        let directions = principal_directions(weighted.as_slice(), total, settings.dimension)?;
        let mut directions = DMatrix::from_row_slice(settings.dimension, total, &directions).cast::<f64>();
        if settings.dimension == first {
            let svd = SVD::new(&directions * &scales * with_first, true, true);
            if let (Some(u), Some(v)) = (svd.u, svd.v_t) {
                directions = (u * v).transpose() * directions;
            }
        }
        let matrix = directions * scales;
        let offset = &matrix * &centre;
        Ok(Self {
            matrix: matrix.transpose().iter().map(|&x| x as f32).collect(),
            offset: offset.iter().map(|&x| x as f32).collect(),
        })
    }

    /// The width of the joined vectors.
    pub fn dimension(&self) -> usize {
        self.offset.len()
    }

    /// The joined unit vectors, `n × dimension`, of vectors side by side, `n × total`. A row that equals the mean gives
    /// zeros.
    pub fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let dimension = self.dimension();
        let mut joined = project(rows, &self.matrix, self.matrix.len() / dimension.max(1), dimension);
        for row in joined.chunks_exact_mut(dimension) {
            row.iter_mut().zip(&self.offset).for_each(|(x, offset)| *x -= offset);
            if row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt() < ROUNDING {
                row.fill(0.0);
            }
            normalise(row);
        }
        joined
    }
}

/// Sums over a sample of the rows `z`.
struct RowMoments {
    count: f64,
    /// `Σ z`
    sums: DVector<f64>,
    /// `Σ z zᵀ`
    products: DMatrix<f64>,
}

impl RowMoments {
    fn of(caches: &[Cache], total: usize, monitor: Monitor) -> Result<Self> {
        let mut rows = AlignedRows::new(caches)?;
        let stride = rows.longest.div_ceil(SAMPLE).max(1);
        let (mut count, mut sums, mut products) = (0u64, vec![0f64; total], vec![0f64; total * total]);
        let bar = monitor.stage("the teachers' moments", Some(rows.longest), "sentences");
        let mut at = 0;
        while let Some(chunk) = rows.next(SHARD_ROWS)? {
            monitor.check()?;
            let mut sample = Vec::new();
            for row in chunk.vectors.chunks_exact(total) {
                if is_sampled(at, stride) {
                    sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
                    sample.extend_from_slice(row);
                    count += 1;
                }
                at += 1;
            }
            products.iter_mut().zip(scatter(&sample, total)).for_each(|(product, x)| *product += x);
            bar.add(chunk.texts.len() as u64);
        }
        let products = DMatrix::from_row_slice(total, total, &products);
        Ok(Self { count: count as f64, sums: DVector::from_vec(sums), products })
    }
}

/// Whether a row belongs to the sample of one in `stride`. A hash of its index decides, so that no pattern of the text
/// can coincide with the sample.
fn is_sampled(row: u64, stride: u64) -> bool {
    (row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(stride)
}
