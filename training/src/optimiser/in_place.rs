//! AdamW's update in host memory: every value where it lies, on all threads, without an allocation.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, WithDType, bail};
use rayon::prelude::*;

use crate::number::Number;

/// Values a task.
const TASK: usize = 16_384;

/// `m ← β m + (1 − β) s g`, and `v ← β v + (1 − β) (s g)²` with `squared`; `s` is `scale`.
#[derive(Clone, Copy)]
pub(super) struct MomentOp {
    pub(super) beta: f64,
    pub(super) scale: f64,
    pub(super) squared: bool,
}

/// `θ ← decay · θ − rate · m / (root · √v + ε)`.
#[derive(Clone, Copy)]
pub(super) struct AdamWOp {
    pub(super) rate: f64,
    pub(super) root: f64,
    pub(super) epsilon: f64,
    pub(super) decay: f64,
}

impl InplaceOp2 for MomentOp {
    fn name(&self) -> &'static str {
        "AdamW's moments"
    }

    fn cpu_fwd(&self, moment: &mut CpuStorage, m_layout: &Layout, g: &CpuStorage, g_layout: &Layout) -> Result<()> {
        match moment {
            CpuStorage::F32(moment) => self.update(values_mut(moment, m_layout)?, values(g, g_layout)?),
            CpuStorage::F64(moment) => self.update(values_mut(moment, m_layout)?, values(g, g_layout)?),
            _ => bail!("AdamW computes in f32 and f64"),
        }
        Ok(())
    }
}

impl MomentOp {
    fn update<T: Number>(&self, moment: &mut [T], g: &[T]) {
        match self.squared {
            false => self.average(moment, g, |g| g),
            true => self.average(moment, g, |g| g * g),
        }
    }

    fn average<T: Number>(&self, moment: &mut [T], g: &[T], term: impl Fn(T) -> T + Sync) {
        let [beta, rest, scale] = [self.beta, 1.0 - self.beta, self.scale].map(<T as WithDType>::from_f64);
        (moment.par_chunks_mut(TASK), g.par_chunks(TASK)).into_par_iter().for_each(|(moment, g)| {
            moment.iter_mut().zip(g).for_each(|(moment, &g)| *moment = beta * *moment + rest * term(scale * g));
        });
    }
}

impl InplaceOp3 for AdamWOp {
    fn name(&self) -> &'static str {
        "AdamW's step"
    }

    fn cpu_fwd(
        &self,
        theta: &mut CpuStorage,
        theta_layout: &Layout,
        m: &CpuStorage,
        m_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<()> {
        match theta {
            CpuStorage::F32(theta) => {
                self.update(values_mut(theta, theta_layout)?, values(m, m_layout)?, values(v, v_layout)?);
            }
            CpuStorage::F64(theta) => {
                self.update(values_mut(theta, theta_layout)?, values(m, m_layout)?, values(v, v_layout)?);
            }
            _ => bail!("AdamW computes in f32 and f64"),
        }
        Ok(())
    }
}

impl AdamWOp {
    fn update<T: Number>(&self, theta: &mut [T], m: &[T], v: &[T]) {
        let [rate, root, epsilon, decay] =
            [self.rate, self.root, self.epsilon, self.decay].map(<T as WithDType>::from_f64);
        (theta.par_chunks_mut(TASK), m.par_chunks(TASK), v.par_chunks(TASK)).into_par_iter().for_each(
            |(theta, m, v)| {
                for ((theta, &m), &v) in theta.iter_mut().zip(m).zip(v) {
                    *theta = decay * *theta - rate * m / (root * v.sqrt() + epsilon);
                }
            },
        );
    }
}

fn values<'a, T: Number>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a tensor of AdamW is not contiguous") };
    Ok(&storage.as_slice()?[start..end])
}

fn values_mut<'a, T>(all: &'a mut [T], layout: &Layout) -> Result<&'a mut [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a tensor of AdamW is not contiguous") };
    Ok(&mut all[start..end])
}
