//! Spans are chosen as `run_qa.py` (transformers 4, `postprocess_qa_predictions`) chooses them.

mod pool;
mod reference;
mod session;
