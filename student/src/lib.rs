//! TextCNN in candle, its folded convolution, distillation and exports
