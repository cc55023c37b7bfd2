(import 'lib/ptb_lm.libsonnet')('large', 'lstm')
