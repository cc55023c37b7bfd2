// Question answering with the bidirectional attention flow of Seo et al. 2016
// (https://arxiv.org/abs/1611.01603): AllenNLP's `bidaf.jsonnet` with its hyperparameters; its
// phrase layer, modeling layer and span-end encoder are all of the one kind.
//
// Out of the box it reads questions made by a script, and trains for a short while on word
// embeddings of its own. For SQuAD v1.1 and the stock schedule:
//
//     -o '{"train_data_path": "<train>", "validation_data_path": "<dev>", "trainer.num_epochs": 20}'
//
// and for the stock word vectors, which it does not train, add to these overrides
//
//     "model.text_field_embedder.token_embedders.tokens":
//       {"type": "embedding", "embedding_dim": 100, "pretrained_file": "<glove.6B.100d.txt.gz>",
//        "trainable": false}

local lstm(type, input_size) = {
  type: type,
  bidirectional: true,
  input_size: input_size,
  hidden_size: 100,
  num_layers: 1,
};

function(encoder) {
  dataset_reader: {
    type: 'squad',
    tokenizer: 'spacy_blank',
    token_indexers: {
      tokens: { type: 'single_id', lowercase_tokens: true },
      token_characters: {
        type: 'characters',
        character_tokenizer: {
          byte_encoding: 'utf-8',
          start_tokens: [259],
          end_tokens: [260],
        },
        min_padding_length: 5,
      },
    },
  },
  train_data_path: 'fixtures/squad/train.json',
  validation_data_path: 'fixtures/squad/dev.json',
  model: {
    type: 'bidaf',
    text_field_embedder: {
      token_embedders: {
        tokens: { type: 'embedding', embedding_dim: 100 },
        token_characters: {
          type: 'character_encoding',
          embedding: { num_embeddings: 262, embedding_dim: 16 },
          encoder: {
            type: 'cnn',
            embedding_dim: 16,
            num_filters: 100,
            ngram_filter_sizes: [5],
          },
          dropout: 0.2,
        },
      },
    },
    num_highway_layers: 2,
    phrase_layer: lstm(encoder, 200),
    matrix_attention: {
      type: 'linear',
      combination: 'x,y,x*y',
      tensor_1_dim: 200,
      tensor_2_dim: 200,
    },
    modeling_layer: lstm(encoder, 800) + { num_layers: 2, dropout: 0.2 },
    span_end_encoder: lstm(encoder, 1400),
    dropout: 0.2,
  },
  data_loader: { batch_sampler: { type: 'bucket', batch_size: 40 } },
  trainer: {
    num_epochs: 4,
    grad_norm: 5.0,
    patience: 10,
    validation_metric: '+em',
    learning_rate_scheduler: {
      type: 'reduce_on_plateau',
      factor: 0.5,
      mode: 'max',
      patience: 2,
    },
    optimizer: { type: 'adam', betas: [0.9, 0.9] },
  },
}
