(import 'lib/ptb_lm.libsonnet')('large', 'lstm_no_srnn_no_out')
