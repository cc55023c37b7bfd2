// A language model on sentences: AllenNLP's own `language_model` and reader. Two layers of 650 and
// dropout 0.5 are the medium size of Zaremba et al. 2014, whose protocol `ptb_lm` follows.
//
// For a text of your own, one sentence a line, split by spaces:
//
//     -o '{"train_data_path": "<train>", "validation_data_path": "<valid>", "trainer.num_epochs": 20}'
local size = 650;

{
  forward(encoder):: self.config({}, {
    tokens: { type: 'embedding', embedding_dim: size },
  }) + {
    model+: {
      contextualizer: {
        type: encoder,
        input_size: size,
        hidden_size: size,
        num_layers: 2,
        dropout: 0.5,
      },
    },
  },

  // Both directions, from characters, as ELMo: what `bidirectional_lm_token_embedder` takes. In a
  // bidirectional LSTM of several layers each direction sees the other below it, and through it
  // the words to be predicted, so that `num_layers` may exceed 1 for `independent_lstm_<key>` only.
  bidirectional(encoder, num_layers=2):: self.config({
    token_characters: { type: 'elmo_characters' },
  }, {
    tokens: { type: 'empty' },
    token_characters: {
      type: 'character_encoding',
      embedding: { num_embeddings: 262, embedding_dim: 16 },
      encoder: {
        type: 'cnn-highway',
        embedding_dim: 16,
        filters: [[1, 32], [2, 32], [3, 64], [4, 128]],
        num_highway: 2,
        projection_dim: size,
        do_layer_norm: true,
      },
    },
  }) + {
    model+: {
      bidirectional: true,
      contextualizer: {
        type: encoder,
        input_size: size,
        hidden_size: size,
        num_layers: num_layers,
        [if num_layers > 1 then 'dropout']: 0.5,
        [if num_layers == 1 then 'bidirectional']: true,
      },
    },
  },

  config(more_indexers, embedders):: {
    dataset_reader: {
      type: 'simple_language_modeling',
      tokenizer: 'just_spaces',
      token_indexers: { tokens: { type: 'single_id' } } + more_indexers,
      max_sequence_length: 400,
      start_tokens: ['<S>'],
      end_tokens: ['</S>'],
    },
    train_data_path: 'fixtures/lm/train.txt',
    validation_data_path: 'fixtures/lm/valid.txt',
    datasets_for_vocab_creation: ['train'],
    data_loader: { batch_sampler: { type: 'bucket', batch_size: 32 } },
    model: {
      type: 'language_model',
      text_field_embedder: { token_embedders: embedders },
      dropout: 0.5,
    },
    trainer: {
      num_epochs: 5,
      optimizer: { type: 'adam', lr: 0.001 },
      grad_norm: 5.0,
      validation_metric: '-perplexity',
    },
  },
}
