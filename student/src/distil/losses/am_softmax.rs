use candle_core::Tensor;

use super::{CheckedStudent, DistilLoss, LossInput};
use crate::am_softmax::{AmSoftmaxLoss, no_centres};
use crate::error::{Error, Result};

impl DistilLoss for AmSoftmaxLoss {
    fn compares_views(&self) -> bool {
        true
    }

    fn check(&self, student: &CheckedStudent) -> Result<()> {
        self.check_keys(student.has_views())
    }

    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        let (classes, labels) = input.classes.as_mut().ok_or_else(no_centres)?;
        let of_classes = |output: &Tensor| output.narrow(0, 0, labels.len()).map_err(Error::tensor("dropout views"));
        let mut views = vec![of_classes(input.output)?];
        for _ in 1..self.views {
            views.push(of_classes(&(input.another_view)()?)?);
        }
        classes.value::<f32>(&views, labels, input.step)
    }
}
