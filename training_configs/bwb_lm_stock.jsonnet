// AllenNLP's own encoder cannot project what recurs: here the projection follows after the LSTM.
(import 'lib/bwb_lm.libsonnet')({
  type: 'compose',
  encoders: [
    { type: 'lstm', input_size: 512, hidden_size: 2048 },
    {
      type: 'feedforward',
      feedforward: { input_dim: 2048, num_layers: 1, hidden_dims: 512, activations: 'linear' },
    },
  ],
})
