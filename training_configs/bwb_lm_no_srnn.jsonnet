(import 'lib/bwb_lm.libsonnet')({
  type: 'lstm_no_srnn',
  input_size: 512,
  hidden_size: 2048,
  projection_size: 512,
})
