// Translation with AllenNLP's `composed_seq2seq` in the default set-up of OpenNMT (Klein et al. 2017,
// https://arxiv.org/abs/1701.02810), which Levy et al. 2018 ablate: two layers of 500 in a
// bidirectional encoder and in a decoder with the attention and the input feeding of Luong et al.
// 2015, and dropout 0.3. The stock decoder `lstm_cell` has one layer and no input feeding.
//
// Out of the box it reads a small corpus made from a grammar and trains for a short while, with Adam.
// For other pairs of sentences, one pair a line with a tab between them and split by spaces:
//
//     -o '{"train_data_path": "<train>", "validation_data_path": "<val>", "trainer.num_epochs": 13}'
//
// For OpenNMT's schedule, SGD at 1.0 that is halved after each epoch from the 8th to the 12th, with
// gradients clipped at 5:
//
//     -o "$(cat training_configs/overrides/nmt_opennmt.json)"
//
// There the rate is 14 and the clipping 5 / 14: OpenNMT sums the loss over a sentence's words, and
// AllenNLP averages it over about 14 of them, in the fixture as in Multi30k.
//
// `overrides/nmt_256.json` makes it 256 wide, for words seen twice: a size for one machine. Overrides
// are Jsonnet, so that several can be added up: -o "(import '<one>') + (import '<other>') + {...}".

local size = 500;

local reads(namespace) = { tokens: { type: 'single_id', namespace: namespace } };
local embedding(namespace) = { embedding_dim: size, vocab_namespace: namespace };

function(encoder, decoder) {
  dataset_reader: {
    type: 'seq2seq',
    source_tokenizer: 'whitespace',
    source_token_indexers: reads('source_tokens'),
    target_token_indexers: reads('target_tokens'),
    source_add_start_token: false,
    source_add_end_token: false,
    source_max_tokens: 50,
    target_max_tokens: 50,
    // A quotation mark is a word like any other.
    quoting: 3,
  },
  train_data_path: 'fixtures/parallel/train.tsv',
  validation_data_path: 'fixtures/parallel/val.tsv',
  datasets_for_vocab_creation: ['train'],
  vocabulary: { max_vocab_size: { source_tokens: 50000, target_tokens: 50000 } },
  model: {
    type: 'composed_seq2seq',
    source_text_embedder: {
      token_embedders: { tokens: { type: 'embedding' } + embedding('source_tokens') },
    },
    encoder: {
      type: encoder,
      input_size: size,
      hidden_size: size / 2,
      num_layers: 2,
      dropout: 0.3,
      bidirectional: true,
    },
    decoder: {
      decoder_net: {
        type: decoder,
        decoding_dim: size,
        target_embedding_dim: size,
        attention: { type: 'bilinear', vector_dim: size, matrix_dim: size },
        bidirectional_input: true,
      } + if decoder == 'lstm_cell' then {} else {
        num_layers: 2,
        dropout: 0.3,
        input_feeding: true,
      },
      target_embedder: embedding('target_tokens'),
      target_namespace: 'target_tokens',
      beam_search: { beam_size: 5, max_steps: 50 },
      token_based_metric: { type: 'token_bleu' },
    },
    initializer: { regexes: [['.*', { type: 'uniform', a: -0.1, b: 0.1 }]] },
  },
  data_loader: { batch_sampler: { type: 'bucket', batch_size: 64 } },
  trainer: {
    num_epochs: 10,
    grad_norm: 5.0,
    optimizer: { type: 'adam', lr: 0.001 },
    validation_metric: '+BLEU',
  },
}
