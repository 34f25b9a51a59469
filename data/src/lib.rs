//! Text, assets and the embedding cache
