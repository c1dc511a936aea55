//! What can lie over any screen, made from the table of keys and given what the screen's keys are.

pub mod help;
