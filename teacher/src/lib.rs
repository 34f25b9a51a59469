//! BERT in candle, ONNX export and inference, the embedding job
