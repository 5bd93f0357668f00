import type { Texts } from './en.js';

export const th: Texts = {
  'app.name': 'gridtokenx',
  'nav.label': 'หน้า',
  'nav.live': 'ขณะนี้',
  'nav.market': 'ตลาด',
  'nav.home': 'บ้านของฉัน',
  'nav.operator': 'ผู้ดูแลระบบ',
  'nav.skip': 'ข้ามไปยังเนื้อหา',
  'nav.language': 'ภาษา',
  'link.up': 'เชื่อมต่ออยู่',
  'link.down': 'เชื่อมต่อกับระบบไม่ได้ ข้อมูลที่แสดงอาจเก่า ระบบจะลองใหม่เอง',
  'link.connecting': 'กำลังเชื่อมต่อ',
  'state.loading': 'กำลังโหลด',
  'state.empty': 'ยังไม่มีข้อมูล',
  'state.again': 'ลองอีกครั้ง',
  'error.unreachable': 'ระบบไม่ตอบสนอง กรุณาตรวจสอบการเชื่อมต่อแล้วลองใหม่',
};
