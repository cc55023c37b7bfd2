(import 'lib/ptb_lm.libsonnet')('small', 'lstm_no_srnn_no_out')
