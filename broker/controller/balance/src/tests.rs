//! Tests that need more than one module.

mod convergence;
mod example;
mod rules;
mod scripts;
mod status;
mod text;
mod wanted;
