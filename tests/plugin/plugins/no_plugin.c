/* SPDX-License-Identifier: Apache-2.0
 *
 * A library that is no plugin. */
int sluice_plugin_v0(void);
int sluice_plugin_v0(void) {
  return 0;
}
