//! The activations of a dense layer, by the names that PyTorch has for them.

use strum::{EnumIter, IntoEnumIterator, IntoStaticStr};

/// An activation of `torch.nn`, with PyTorch's default parameters. Its name is the class's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, IntoStaticStr)]
pub enum HeadActivation {
    /// x
    Identity,
    /// tanh(x)
    Tanh,
    /// max(0, x)
    #[strum(serialize = "ReLU")]
    Relu,
    /// min(max(0, x), 6)
    #[strum(serialize = "ReLU6")]
    Relu6,
    /// x, below 0 a hundredth of it
    #[strum(serialize = "LeakyReLU")]
    LeakyRelu,
    /// x, below 0 eˣ − 1
    #[strum(serialize = "ELU")]
    Elu,
    /// [`Elu`](Self::Elu) with the scales of the paper (Klambauer et al. 2017)
    #[strum(serialize = "SELU")]
    Selu,
    /// x·Φ(x)
    #[strum(serialize = "GELU")]
    Gelu,
    /// x·σ(x)
    #[strum(serialize = "SiLU")]
    Silu,
    /// x·tanh(ln(1 + eˣ))
    Mish,
    /// σ(x)
    Sigmoid,
    /// ln σ(x)
    LogSigmoid,
    /// ln(1 + eˣ)
    Softplus,
    /// x/(1 + |x|)
    Softsign,
    /// x between −1 and 1
    Hardtanh,
    /// x − tanh(x)
    Tanhshrink,
}

/// The scales of SELU.
pub(crate) const SELU: (f32, f32) = (1.673_263_2, 1.050_701);

impl HeadActivation {
    /// The name of PyTorch's class.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The activation of PyTorch's class, with or without its module: `torch.nn.modules.activation.Tanh`.
    pub fn of_class(class: &str) -> Option<Self> {
        let name = class.rsplit('.').next().unwrap_or_default();
        Self::iter().find(|activation| activation.name() == name)
    }

    /// The names of all, for an error.
    pub fn all_names() -> String {
        Self::iter().map(Self::name).collect::<Vec<_>>().join(", ")
    }

    /// The value at `x`.
    pub fn at(self, x: f32) -> f32 {
        // ln(1 + eˣ) without overflow.
        let softplus = |x: f32| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        match self {
            Self::Identity => x,
            Self::Tanh => x.tanh(),
            Self::Relu => x.max(0.0),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::LeakyRelu => x.max(0.01 * x),
            Self::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Self::Selu => SELU.1 * if x > 0.0 { x } else { SELU.0 * x.exp_m1() },
            Self::Gelu => 0.5 * x * (1.0 + libm::erff(x / std::f32::consts::SQRT_2)),
            Self::Silu => x * sigmoid(x),
            Self::Mish => x * softplus(x).tanh(),
            Self::Sigmoid => sigmoid(x),
            Self::LogSigmoid => -softplus(-x),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Hardtanh => x.clamp(-1.0, 1.0),
            Self::Tanhshrink => x - x.tanh(),
        }
    }
}
