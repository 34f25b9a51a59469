//! The settings that all trainings share.

use crate::error::{Error, Result};
use crate::schedule::Schedule;

/// Evaluations without a new best score before the trainer warns, where no setting says how many.
pub const PATIENCE: u64 = 5;

/// Declares the settings of a training: the keys that all trainings share stand between `before` and `between` and
/// between `between` and `after`, in the order in which recipes and cards write them.
///
/// The struct is flat. serde could flatten a nested one, but would then report a wrong value or an unknown key without
/// its line and without the keys that are known.
#[macro_export]
macro_rules! training_settings {
    (
        $(#[$meta:meta])*
        pub struct $name:ident;
        shared: {
            epochs: $epochs:expr, batch: $batch:expr, learning_rate: $learning_rate:expr,
            evaluate_every: $evaluate_every:expr, checkpoint_every: $checkpoint_every:expr $(,)?
        }
        before: { $( $(#[$before_meta:meta])* $before:ident: $before_type:ty = $before_default:expr, )* }
        between: { $( $(#[$between_meta:meta])* $between:ident: $between_type:ty = $between_default:expr, )* }
        after: { $( $(#[$after_meta:meta])* $after:ident: $after_type:ty = $after_default:expr, )* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $( $(#[$before_meta])* pub $before: $before_type, )*
            /// Passes over the examples.
            pub epochs: usize,
            /// Examples a step.
            pub batch: usize,
            /// Peak learning rate.
            pub learning_rate: f64,
            /// Share of the steps in which the learning rate rises.
            pub warm_up: f64,
            /// How the learning rate falls after the warm-up.
            pub decay: $crate::schedule::Decay,
            /// Decoupled weight decay.
            pub weight_decay: f64,
            $( $(#[$between_meta])* pub $between: $between_type, )*
            /// Seed of the order, of dropout and of every other random number.
            pub seed: u64,
            /// Steps between two evaluations.
            pub evaluate_every: u64,
            /// Steps between two checkpoints.
            pub checkpoint_every: u64,
            $( $(#[$after_meta])* pub $after: $after_type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $before: $before_default, )*
                    epochs: $epochs,
                    batch: $batch,
                    learning_rate: $learning_rate,
                    warm_up: 0.0,
                    decay: $crate::schedule::Decay::Linear,
                    weight_decay: 0.01,
                    $( $between: $between_default, )*
                    seed: 1,
                    evaluate_every: $evaluate_every,
                    checkpoint_every: $checkpoint_every,
                    $( $after: $after_default, )*
                }
            }
        }

        impl $name {
            /// The settings that all trainings share.
            pub fn training(&self) -> $crate::settings::TrainingSettings {
                $crate::settings::TrainingSettings {
                    epochs: self.epochs,
                    batch: self.batch,
                    learning_rate: self.learning_rate,
                    warm_up: self.warm_up,
                    decay: self.decay,
                    weight_decay: self.weight_decay,
                    seed: self.seed,
                    evaluate_every: self.evaluate_every,
                    checkpoint_every: self.checkpoint_every,
                }
            }
        }
    };
}

training_settings! {
    /// The settings that all trainings share, as [`fit`](crate::fit::fit) takes them.
    pub struct TrainingSettings;
    shared: { epochs: 1, batch: 64, learning_rate: 1e-3, evaluate_every: 100, checkpoint_every: 100 }
    before: {}
    between: {}
    after: {}
}

impl TrainingSettings {
    /// Refuses values that are out of range; `section` is the recipe's table that holds them.
    ///
    /// # Errors
    /// Names the first such key.
    pub fn check(&self, section: &str) -> Result<()> {
        at_least_one(section, "evaluate_every", self.evaluate_every)?;
        at_least_one(section, "checkpoint_every", self.checkpoint_every)?;
        let decay = self.weight_decay;
        Error::require(decay >= 0.0 && decay.is_finite(), &format!("{section}.weight_decay"), decay, "0 or above")?;
        self.schedule(1).map(drop).map_err(|error| match error {
            Error::Setting { name, value, allowed } => Error::setting(&format!("{section}.{name}"), value, allowed),
            error => error,
        })
    }

    /// The learning rate over `steps` steps.
    ///
    /// # Errors
    /// A rate or a share that is out of range.
    pub fn schedule(&self, steps: u64) -> Result<Schedule> {
        Schedule::new(self.learning_rate, self.warm_up, steps, self.decay)
    }
}

/// Refuses 0 for the key `name` of the table `section`.
///
/// # Errors
/// Names the key.
pub fn at_least_one(section: &str, name: &str, value: u64) -> Result<()> {
    Error::require(value > 0, &format!("{section}.{name}"), value, "at least 1")
}
