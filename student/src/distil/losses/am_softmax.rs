use candle_core::Tensor;

use super::{CheckedStudent, DistilLoss, LossInput};
use crate::am_softmax::AmSoftmaxLoss;
use crate::error::{Error, Result};

impl DistilLoss for AmSoftmaxLoss {
    fn weight(&self) -> f64 {
        self.weight
    }

    fn weight_mut(&mut self) -> &mut f64 {
        &mut self.weight
    }

    fn compares_views(&self) -> bool {
        true
    }

    fn check(&self, student: &CheckedStudent) -> Result<()> {
        self.check_keys(student.has_views())
    }

    fn value(&self, input: &mut LossInput) -> Result<Tensor> {
        let Some((classes, labels)) = &mut input.classes else {
            let none = candle_core::Error::Msg("the class centres are missing".into());
            return Err(Error::tensor("AM-softmax")(none));
        };
        let of_classes = |output: &Tensor| output.narrow(0, 0, labels.len()).map_err(Error::tensor("dropout views"));
        let mut views = vec![of_classes(input.output)?];
        for _ in 1..self.views {
            views.push(of_classes(&(input.another_view)()?)?);
        }
        classes.value::<f32>(&views, labels, input.step)
    }
}
