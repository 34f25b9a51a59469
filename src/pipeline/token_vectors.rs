//! [`TokenVectors`]: which vectors of tokens the embed stage makes.

use limbeck_encoder::Tokenizer;

use super::context::Context;
use super::given_student::{given_student, static_start};
use crate::error::Result;

/// Which vectors of tokens the cache to learn from holds: those that the static start is made from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TokenVectors<'a> {
    /// Those of the teacher's own tokens.
    pub(super) of_teacher: bool,
    /// Those of the tokens of this tokenizer.
    pub(super) of_student: Option<&'a Tokenizer>,
}

impl<'a> TokenVectors<'a> {
    /// `teacher` is the teacher's tokenizer, where it has one, and `student` that of a new student, where it has one of
    /// its own. A student to go on from has vectors of its tokens already; where its static control starts anew, those
    /// of the teacher's tokens serve if both have the same.
    pub(super) fn of(context: &Context, teacher: Option<&Tokenizer>, student: Option<&'a Tokenizer>) -> Result<Self> {
        let plan = context.plan();
        if let Some((_, given)) = given_student(context)? {
            let is_same = teacher.is_some_and(|teacher| teacher.json() == given.tokenizer.json());
            let of_teacher = is_same && static_start(plan).is_some_and(|start| !start.is_null());
            return Ok(Self { of_teacher, of_student: None });
        }
        let is_wanted = plan.api().is_none_or(|api| api.token_vectors);
        let is_own = |student: &&Tokenizer| teacher.is_none_or(|own| student.json() != own.json());
        let own = student.filter(is_own);
        Ok(Self { of_teacher: own.is_none_or(|_| !is_wanted), of_student: own.filter(|_| is_wanted) })
    }
}
